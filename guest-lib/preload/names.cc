// SPDX-License-Identifier: MIT
#include "guest-lib/preload/names.h"

namespace farcall::preload {

const NamedValue kOpenFlagNames[] = {
    {0100, "O_CREAT"},        {0200, "O_EXCL"},         {0400, "O_NOCTTY"},
    {01000, "O_TRUNC"},       {02000, "O_APPEND"},      {04000, "O_NONBLOCK"},
    {04010000, "O_SYNC"},     {010000, "O_DSYNC"},      {020000, "FASYNC"},
    {040000, "O_DIRECT"},     {0100000, "O_LARGEFILE"}, {0400000, "O_NOFOLLOW"},
    {01000000, "O_NOATIME"},  {02000000, "O_CLOEXEC"},  {010000000, "O_PATH"},
    {020200000, "O_TMPFILE"}, {0200000, "O_DIRECTORY"}, {0, nullptr}};

const NamedValue kAccessNames[] = {{4, "R_OK"}, {2, "W_OK"}, {1, "X_OK"}, {0, nullptr}};

const NamedValue kWhenceNames[] = {{0, "SEEK_SET"},  {1, "SEEK_CUR"},  {2, "SEEK_END"},
                                   {3, "SEEK_DATA"}, {4, "SEEK_HOLE"}, {0, nullptr}};

const NamedValue kAtNames[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_REMOVEDIR"},   {0x400, "AT_SYMLINK_FOLLOW"},
    {0x800, "AT_NO_AUTOMOUNT"},     {0x1000, "AT_EMPTY_PATH"}, {0x2000, "AT_STATX_FORCE_SYNC"},
    {0x4000, "AT_STATX_DONT_SYNC"}, {0x8000, "AT_RECURSIVE"},  {0, nullptr}};

const NamedValue kFcntlNames[] = {{0, "F_DUPFD"},
                                  {1, "F_GETFD"},
                                  {2, "F_SETFD"},
                                  {3, "F_GETFL"},
                                  {4, "F_SETFL"},
                                  {5, "F_GETLK"},
                                  {6, "F_SETLK"},
                                  {7, "F_SETLKW"},
                                  {8, "F_SETOWN"},
                                  {9, "F_GETOWN"},
                                  {10, "F_SETSIG"},
                                  {11, "F_GETSIG"},
                                  {15, "F_SETOWN_EX"},
                                  {16, "F_GETOWN_EX"},
                                  {36, "F_OFD_GETLK"},
                                  {37, "F_OFD_SETLK"},
                                  {38, "F_OFD_SETLKW"},
                                  {1024, "F_SETLEASE"},
                                  {1025, "F_GETLEASE"},
                                  {1026, "F_NOTIFY"},
                                  {1030, "F_DUPFD_CLOEXEC"},
                                  {1031, "F_SETPIPE_SZ"},
                                  {1032, "F_GETPIPE_SZ"},
                                  {1033, "F_ADD_SEALS"},
                                  {1034, "F_GET_SEALS"},
                                  {0, nullptr}};

const NamedValue kLockNames[] = {
    {1, "LOCK_SH"}, {2, "LOCK_EX"}, {4, "LOCK_NB"}, {8, "LOCK_UN"}, {0, nullptr}};

const NamedValue kFamilyNames[] = {{0, "AF_UNSPEC"},   {1, "AF_UNIX"},    {2, "AF_INET"},   {10, "AF_INET6"},
                                   {16, "AF_NETLINK"}, {17, "AF_PACKET"}, {40, "AF_VSOCK"}, {0, nullptr}};

const NamedValue kSocketTypeNames[] = {
    {1, "SOCK_STREAM"}, {2, "SOCK_DGRAM"}, {3, "SOCK_RAW"}, {5, "SOCK_SEQPACKET"}, {0, nullptr}};

const NamedValue kProtocolNames[] = {{0, "IPPROTO_IP"},   {1, "IPPROTO_ICMP"},    {6, "IPPROTO_TCP"},
                                     {17, "IPPROTO_UDP"}, {58, "IPPROTO_ICMPV6"}, {0, nullptr}};

const NamedValue kLevelNames[] = {{0, "SOL_IP"},   {1, "SOL_SOCKET"}, {6, "SOL_TCP"},
                                  {17, "SOL_UDP"}, {41, "SOL_IPV6"},  {0, nullptr}};

const NamedValue kSocketOptionNames[] = {{0, "SO_VM_SOCKETS_BUFFER_SIZE"},
                                         {1, "SO_VM_SOCKETS_BUFFER_MIN_SIZE"},
                                         {2, "SO_VM_SOCKETS_BUFFER_MAX_SIZE"},
                                         {3, "SO_TYPE"},
                                         {4, "SO_J1939_ERRQUEUE"},
                                         {5, "SO_DONTROUTE"},
                                         {6, "SO_BROADCAST"},
                                         {7, "SO_SNDBUF"},
                                         {8, "SO_RCVBUF"},
                                         {9, "SO_KEEPALIVE"},
                                         {10, "SO_OOBINLINE"},
                                         {12, "SO_PRIORITY"},
                                         {13, "SO_LINGER"},
                                         {15, "SO_REUSEPORT"},
                                         {16, "SO_PASSCRED"},
                                         {17, "SO_PEERCRED"},
                                         {18, "SO_RCVLOWAT"},
                                         {19, "SO_SNDLOWAT"},
                                         {20, "SO_RCVTIMEO"},
                                         {21, "SO_SNDTIMEO"},
                                         {25, "SO_BINDTODEVICE"},
                                         {28, "SO_PEERNAME"},
                                         {29, "SO_TIMESTAMP"},
                                         {30, "SO_ACCEPTCONN"},
                                         {31, "SO_PEERSEC"},
                                         {34, "SO_PASSSEC"},
                                         {36, "SO_MARK"},
                                         {38, "SO_PROTOCOL"},
                                         {39, "SO_DOMAIN"},
                                         {49, "SO_INCOMING_CPU"},
                                         {0, nullptr}};

const NamedValue kTcpOptionNames[] = {{1, "TCP_NODELAY"},
                                      {2, "TCP_MAXSEG"},
                                      {3, "TCP_CORK"},
                                      {4, "TCP_KEEPIDLE"},
                                      {5, "TCP_KEEPINTVL"},
                                      {6, "TCP_KEEPCNT"},
                                      {7, "TCP_SYNCNT"},
                                      {8, "TCP_LINGER2"},
                                      {9, "TCP_DEFER_ACCEPT"},
                                      {10, "TCP_WINDOW_CLAMP"},
                                      {11, "TCP_INFO"},
                                      {12, "TCP_QUICKACK"},
                                      {13, "TCP_CONGESTION"},
                                      {18, "TCP_USER_TIMEOUT"},
                                      {23, "TCP_FASTOPEN"},
                                      {25, "TCP_NOTSENT_LOWAT"},
                                      {0, nullptr}};

const NamedValue kMessageFlagNames[] = {{1, "MSG_OOB"},
                                        {2, "MSG_PEEK"},
                                        {4, "MSG_DONTROUTE"},
                                        {8, "MSG_CTRUNC"},
                                        {0x20, "MSG_TRUNC"},
                                        {0x40, "MSG_DONTWAIT"},
                                        {0x80, "MSG_EOR"},
                                        {0x100, "MSG_WAITALL"},
                                        {0x800, "MSG_CONFIRM"},
                                        {0x2000, "MSG_ERRQUEUE"},
                                        {0x4000, "MSG_NOSIGNAL"},
                                        {0x8000, "MSG_MORE"},
                                        {0x10000, "MSG_WAITFORONE"},
                                        {0x4000000, "MSG_ZEROCOPY"},
                                        {0x20000000, "MSG_FASTOPEN"},
                                        {0x40000000, "MSG_CMSG_CLOEXEC"},
                                        {0, nullptr}};

const NamedValue kShutdownNames[] = {{0, "SHUT_RD"}, {1, "SHUT_WR"}, {2, "SHUT_RDWR"}, {0, nullptr}};

const NamedValue kProtectionNames[] = {{1, "PROT_READ"}, {2, "PROT_WRITE"}, {4, "PROT_EXEC"}, {0, nullptr}};

const NamedValue kMapFlagNames[] = {{0x10, "MAP_FIXED"},
                                    {0x20, "MAP_ANONYMOUS"},
                                    {0x100, "MAP_GROWSDOWN"},
                                    {0x800, "MAP_DENYWRITE"},
                                    {0x1000, "MAP_EXECUTABLE"},
                                    {0x2000, "MAP_LOCKED"},
                                    {0x4000, "MAP_NORESERVE"},
                                    {0x8000, "MAP_POPULATE"},
                                    {0x10000, "MAP_NONBLOCK"},
                                    {0x20000, "MAP_STACK"},
                                    {0x40000, "MAP_HUGETLB"},
                                    {0x80000, "MAP_SYNC"},
                                    {0x100000, "MAP_FIXED_NOREPLACE"},
                                    {0, nullptr}};

const NamedValue kStatxMaskNames[] = {
    {1, "STATX_TYPE"},        {2, "STATX_MODE"},     {4, "STATX_NLINK"},      {8, "STATX_UID"},
    {0x10, "STATX_GID"},      {0x20, "STATX_ATIME"}, {0x40, "STATX_MTIME"},   {0x80, "STATX_CTIME"},
    {0x100, "STATX_INO"},     {0x200, "STATX_SIZE"}, {0x400, "STATX_BLOCKS"}, {0x800, "STATX_BTIME"},
    {0x1000, "STATX_MNT_ID"}, {0, nullptr}};

const NamedValue kFileTypeNames[] = {{0010000, "S_IFIFO"},  {0020000, "S_IFCHR"}, {0040000, "S_IFDIR"},
                                     {0060000, "S_IFBLK"},  {0100000, "S_IFREG"}, {0120000, "S_IFLNK"},
                                     {0140000, "S_IFSOCK"}, {0, nullptr}};

void put_name(Text& text, Names names, u64 value) {
    for (; names->name != nullptr; names++) {
        if (names->value != value) continue;
        text.put(names->name);
        return;
    }
    text.hex(value);
}

void put_flags(Text& text, Names names, u64 value, const char* none) {
    const char* separator = "";
    u64 rest = value;
    for (; names->name != nullptr; names++) {
        if ((rest & names->value) != names->value) continue;
        text.put(separator).put(names->name);
        separator = "|";
        rest &= ~names->value;
    }
    if (rest != 0 || value == 0) {
        if (value == 0)
            text.put(none);
        else
            text.put(separator).hex(rest);
    }
}

}  // namespace farcall::preload
