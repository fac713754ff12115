// SPDX-License-Identifier: MIT
// GETSOCKOPT, SETSOCKOPT: a table of what clients may ask and change. What is not in it does not exist for
// them: options that reach beyond the socket (devices, marks, routing), that bring descriptors or error
// queues, or that mean nothing here because host sockets never block.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "host-lib/client.h"
#include "host-lib/operands.h"
#include "host-lib/socket.h"
#include "host-lib/socket_ops.h"

namespace farcall {
namespace {

enum Access : uint8_t { kGet = 1, kSet = 2, kBoth = 3 };

struct Option {
    int level;
    int name;
    uint16_t bytes;  ///< of its value
    Access access;
};

// The kernel's struct is longer than the C library's, and grows.
constexpr size_t kTcpInfoBytes = 512;
constexpr size_t kMostBytes = kTcpInfoBytes;
constexpr size_t kMostSetBytes = sizeof(linger);

constexpr Option kOptions[] = {
    {SOL_SOCKET, SO_TYPE, 4, kGet},
    {SOL_SOCKET, SO_DOMAIN, 4, kGet},
    {SOL_SOCKET, SO_PROTOCOL, 4, kGet},
    {SOL_SOCKET, SO_ERROR, 4, kGet},
    {SOL_SOCKET, SO_ACCEPTCONN, 4, kGet},
    {SOL_SOCKET, SO_LINGER, sizeof(linger), kBoth},  // a reset at close, or none: never a wait
    {SOL_SOCKET, SO_REUSEPORT, 4, kGet},             // two guests must not share a port without knowing it
    {SOL_SOCKET, SO_REUSEADDR, 4, kBoth},
    {SOL_SOCKET, SO_KEEPALIVE, 4, kBoth},
    {SOL_SOCKET, SO_BROADCAST, 4, kBoth},
    {SOL_SOCKET, SO_SNDBUF, 4, kBoth},  // bounded by the host's net.core.wmem_max
    {SOL_SOCKET, SO_RCVBUF, 4, kBoth},
    {SOL_SOCKET, SO_RCVLOWAT, 4, kBoth},
    {SOL_SOCKET, SO_TIMESTAMPNS, 4, kBoth},
    {IPPROTO_TCP, TCP_NODELAY, 4, kBoth},
    {IPPROTO_TCP, TCP_MAXSEG, 4, kBoth},
    {IPPROTO_TCP, TCP_CORK, 4, kBoth},
    {IPPROTO_TCP, TCP_KEEPIDLE, 4, kBoth},
    {IPPROTO_TCP, TCP_KEEPINTVL, 4, kBoth},
    {IPPROTO_TCP, TCP_KEEPCNT, 4, kBoth},
    {IPPROTO_TCP, TCP_SYNCNT, 4, kBoth},
    {IPPROTO_TCP, TCP_LINGER2, 4, kBoth},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 4, kBoth},
    {IPPROTO_TCP, TCP_QUICKACK, 4, kBoth},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, 4, kBoth},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4, kBoth},
    {IPPROTO_TCP, TCP_INFO, kTcpInfoBytes, kGet},
    {IPPROTO_IP, IP_TOS, 4, kBoth},
    {IPPROTO_IP, IP_TTL, 4, kBoth},
    {IPPROTO_IP, IP_MTU, 4, kGet},
    {IPPROTO_IP, IP_MTU_DISCOVER, 4, kBoth},
    {IPPROTO_IP, IP_PKTINFO, 4, kBoth},  // what these three bring: ancillary.h
    {IPPROTO_IP, IP_RECVTTL, 4, kBoth},
    {IPPROTO_IP, IP_RECVTOS, 4, kBoth},
    {IPPROTO_IPV6, IPV6_V6ONLY, 4, kBoth},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 4, kBoth},
    {IPPROTO_IPV6, IPV6_TCLASS, 4, kBoth},
    {IPPROTO_IPV6, IPV6_MTU, 4, kGet},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, 4, kBoth},
    {IPPROTO_IPV6, IPV6_DONTFRAG, 4, kBoth},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 4, kBoth},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 4, kBoth},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 4, kBoth},
    {FC_SOL_QUEUES, FC_SO_UNREAD, 4, kGet},
    {FC_SOL_QUEUES, FC_SO_UNSENT, 4, kGet},
};

const Option* find_option(uint64_t level_and_name) {
    for (const Option& option : kOptions) {
        const uint64_t key = static_cast<uint64_t>(option.level) | static_cast<uint64_t>(option.name) << 32;
        if (key == level_and_name) return &option;
    }
    return nullptr;
}

// For datagrams this option means on Linux that several sockets share a port without a word. They may ask, as
// programs do that use one routine for all sockets, but the host's socket never hears of it.
bool is_kept_back(const Socket& socket, const Option& option) {
    return option.level == SOL_SOCKET && option.name == SO_REUSEADDR && socket.type == SOCK_DGRAM;
}

// 0, or -errno. The first bytes of `value` are an int, whatever else it is.
int put_option(Socket& socket, const Option& option, const void* value) {
    int number;
    std::memcpy(&number, value, sizeof(number));
    if (is_kept_back(socket, option)) {
        socket.reuse_address = number != 0;
        return 0;
    }
    if (option.level == SOL_SOCKET && option.name == SO_LINGER) {
        linger asked;
        std::memcpy(&asked, value, sizeof(asked));
        if (asked.l_onoff != 0 && asked.l_linger != 0) return -EINVAL;  // CLOSE never waits
    }
    return result_of(::setsockopt(socket.fd.get(), option.level, option.name, value, option.bytes));
}

// The value of an option, and its length. 0, or -errno.
int get_option(const Socket& socket, const Option& option, void* value, socklen_t* length) {
    const int fd = socket.fd.get();
    if (option.level != int{FC_SOL_QUEUES})
        return ::getsockopt(fd, option.level, option.name, value, length) < 0 ? -errno : 0;
    const bool unread = option.name == int{FC_SO_UNREAD};
    return ::ioctl(fd, unread ? FIONREAD : TIOCOUTQ, value) < 0 ? -errno : 0;
}

}  // namespace

int64_t op_getsockopt(Client& client, Task& task, const Operands& operands) {
    const Socket* socket = client.handles().get<Socket>(operands.handle);
    if (socket == nullptr) return -EBADF;
    const Option* option = find_option(operands.offset);
    if (option == nullptr) return -ENOPROTOOPT;
    Region* region = nullptr;
    if (int err = find_range(client, task.cmd.region, operands.buffer, operands.length, true, &region))
        return err;
    std::array<std::byte, kMostBytes> value{};
    socklen_t length = std::min<uint32_t>(operands.length, option->bytes);
    if (int err = get_option(*socket, *option, value.data(), &length)) return err;
    if (is_kept_back(*socket, *option)) value[0] = static_cast<std::byte>(socket->reuse_address);
    length = std::min<socklen_t>(length, operands.length);
    region->copy_in(operands.buffer, value.data(), length);
    return length;
}

int64_t op_setsockopt(Client& client, Task& task, const Operands& operands) {
    Socket* socket = client.handles().get<Socket>(operands.handle);
    if (socket == nullptr) return -EBADF;
    const Option* option = find_option(operands.offset);
    if (option == nullptr) return -ENOPROTOOPT;
    if (!(option->access & kSet)) return option->name == SO_REUSEPORT ? -EPERM : -ENOPROTOOPT;
    if (operands.length < option->bytes) return -EINVAL;
    Region* region = nullptr;
    if (int err = find_range(client, task.cmd.region, operands.buffer, operands.length, false, &region))
        return err;
    std::array<std::byte, kMostSetBytes> value{};
    static_assert([] {
        return std::ranges::all_of(kOptions, [](const Option& o) {
            return !(o.access & kSet) || (o.bytes >= sizeof(int) && o.bytes <= kMostSetBytes);
        });
    }());
    region->copy_out(operands.buffer, value.data(), option->bytes);
    return put_option(*socket, *option, value.data());
}

}  // namespace farcall
