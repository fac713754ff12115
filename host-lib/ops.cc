// SPDX-License-Identifier: MIT
#include "host-lib/ops.h"

#include <array>
#include <cerrno>

#include <farcall/ring.h>

#include "host-lib/buffer_pool.h"
#include "host-lib/client.h"
#include "host-lib/file_ops.h"
#include "host-lib/service_ops.h"
#include "host-lib/socket_ops.h"

namespace farcall {
namespace {

// The command as eight little-endian words; these are the bits of each field.
constexpr uint64_t kAll = ~0ull;
constexpr uint64_t kLow32 = 0xffffffffull;
constexpr uint64_t kHigh32 = kLow32 << 32;
constexpr uint64_t kOpFlags = 0xffffull << 16;

enum Field : unsigned {
    kHandle = 1,
    kOffset = 2,
    kMemory = 4,  // region, buffer and length
    kFlags = 8,   // op_flags
    kLength = 16,
    kBuffer = 32,   // 64 bits of their own meaning
    kHandle2 = 64,  // in `region`
};

struct Row {
    uint8_t opcode;
    OpInfo info;
};

constexpr uint16_t kCommonFlags = FC_F_ID | FC_F_WAIT_ANY | FC_F_RESULT_STORE | FC_F_RESULT_ADD |
                                  FC_F_ALWAYS | FC_F_QUIET | FC_F_CHAIN_DEADLINE | FC_F_DETACH;

constexpr Row row(uint8_t opcode, const char* name, unsigned fields, uint16_t extra,
                  int64_t (*start)(Client&, Task&, const Operands&)) {
    uint16_t flags = kCommonFlags | extra;
    uint64_t w0 = kLow32, w2 = 0, w3 = 0, w4 = 0, w6 = 0xffffull | kHigh32;
    if (fields & kHandle) w0 |= kHigh32, flags |= FC_F_VAR_HANDLE;
    if (fields & kOffset) w2 = kAll, flags |= FC_F_VAR_OFFSET;
    if (fields & kMemory) w3 = kAll, w4 |= kAll, flags |= FC_F_VAR_BUFFER | FC_F_VAR_LENGTH;
    if (fields & kLength) w4 |= kHigh32, flags |= FC_F_VAR_LENGTH;
    if (fields & kFlags) w6 |= kOpFlags;
    if (fields & kBuffer) w3 = kAll, flags |= FC_F_VAR_BUFFER;
    if (fields & kHandle2) w4 |= kLow32, flags |= FC_F_VAR_REGION;
    return {opcode, {name, flags, {w0, kAll, w2, w3, w4, kAll, w6, kAll}, start}};
}

int64_t op_nop(Client&, Task&, const Operands& operands) {
    return operands.length > INT32_MAX ? -EINVAL : static_cast<int64_t>(operands.length);
}

// One row per op, in the order of enum fc_opcode.
constexpr Row kRows[] = {
    row(FC_OP_NOP, "nop", kLength, 0, op_nop),
    row(FC_OP_OPEN, "open", kHandle | kOffset | kMemory | kFlags, 0, op_open),
    row(FC_OP_CLOSE, "close", kHandle, 0, op_close),
    row(FC_OP_READ, "read", kHandle | kOffset | kMemory, FC_F_SHORT_STOP, op_read),
    row(FC_OP_WRITE, "write", kHandle | kOffset | kMemory, FC_F_SHORT_STOP, op_write),
    row(FC_OP_FSYNC, "fsync", kHandle | kFlags, 0, op_fsync),
    row(FC_OP_STAT, "stat", kHandle | kMemory, 0, op_stat),
    row(FC_OP_TIMER, "timer", kOffset | kBuffer | kFlags, FC_F_MULTISHOT, Client::op_timer),
    row(FC_OP_EVENT_SET, "event_set", kOffset | kLength, 0, Client::op_event_set),
    row(FC_OP_EVENT_WAIT, "event_wait", 0, 0, Client::op_event_wait),
    row(FC_OP_CANCEL, "cancel", kOffset | kHandle | kFlags, 0, Client::op_cancel),
    row(FC_OP_READV, "readv", kHandle | kOffset | kMemory, FC_F_SHORT_STOP, op_readv),
    row(FC_OP_WRITEV, "writev", kHandle | kOffset | kMemory, FC_F_SHORT_STOP, op_writev),
    row(FC_OP_FTRUNCATE, "ftruncate", kHandle | kOffset, 0, op_ftruncate),
    row(FC_OP_STATX, "statx", kHandle | kOffset | kMemory | kFlags, 0, op_statx),
    row(FC_OP_GETDENTS, "getdents", kHandle | kOffset | kMemory, 0, op_getdents),
    row(FC_OP_RENAME, "rename", kHandle | kOffset | kMemory | kFlags, 0, op_rename),
    row(FC_OP_UNLINK, "unlink", kHandle | kMemory | kFlags, 0, op_unlink),
    row(FC_OP_MKDIR, "mkdir", kHandle | kOffset | kMemory, 0, op_mkdir),
    row(FC_OP_SYMLINK, "symlink", kHandle | kMemory, 0, op_symlink),
    row(FC_OP_READLINK, "readlink", kHandle | kOffset | kMemory, 0, op_readlink),
    row(FC_OP_LINK, "link", kHandle | kOffset | kMemory, 0, op_link),
    row(FC_OP_FALLOCATE, "fallocate", kHandle | kOffset | kBuffer | kFlags, 0, op_fallocate),
    row(FC_OP_COPY, "copy", kHandle | kOffset | kHandle2 | kBuffer | kLength, FC_F_SHORT_STOP, op_copy),
    row(FC_OP_SENDFILE, "sendfile", kHandle | kOffset | kHandle2 | kBuffer | kLength, FC_F_SHORT_STOP,
        op_sendfile),
    row(FC_OP_SOCKET, "socket", kOffset, 0, op_socket),
    row(FC_OP_BIND, "bind", kHandle | kOffset | kMemory, 0, op_bind),
    row(FC_OP_LISTEN, "listen", kHandle | kOffset, 0, op_listen),
    row(FC_OP_ACCEPT, "accept", kHandle | kMemory | kFlags, FC_F_MULTISHOT, op_accept),
    row(FC_OP_CONNECT, "connect", kHandle | kOffset | kMemory, 0, op_connect),
    row(FC_OP_SEND, "send", kHandle | kMemory | kFlags, FC_F_SHORT_STOP, op_send),
    row(FC_OP_RECV, "recv", kHandle | kOffset | kMemory | kFlags, FC_F_SHORT_STOP | FC_F_MULTISHOT, op_recv),
    row(FC_OP_SENDMSG, "sendmsg", kHandle | kOffset | kMemory | kFlags, 0, op_sendmsg),
    row(FC_OP_RECVMSG, "recvmsg", kHandle | kMemory | kFlags, 0, op_recvmsg),
    row(FC_OP_SHUTDOWN, "shutdown", kHandle | kOffset, 0, op_shutdown),
    row(FC_OP_GETSOCKOPT, "getsockopt", kHandle | kOffset | kMemory, 0, op_getsockopt),
    row(FC_OP_SETSOCKOPT, "setsockopt", kHandle | kOffset | kMemory, 0, op_setsockopt),
    row(FC_OP_GETSOCKNAME, "getsockname", kHandle | kMemory, 0, op_getsockname),
    row(FC_OP_GETPEERNAME, "getpeername", kHandle | kMemory, 0, op_getpeername),
    row(FC_OP_POLL, "poll", kHandle | kOffset | kFlags, FC_F_MULTISHOT, op_poll),
    row(FC_OP_BUFFERS, "buffers", kOffset | kMemory | kFlags, 0, op_buffers),
    row(FC_OP_BUFFER_RETURN, "buffer_return", kHandle | kOffset, 0, op_buffer_return),
    row(FC_OP_EVENT_SHARE, "event_share", kOffset | kBuffer | kLength, 0, Client::op_event_share),
    row(FC_OP_SERVE, "serve", kOffset | kMemory, FC_F_MULTISHOT, op_serve),
    row(FC_OP_SERVICE_OPEN, "service_open", kMemory, 0, op_service_open),
    row(FC_OP_CALL, "call", kHandle | kOffset | kMemory | kFlags, 0, op_call),
    row(FC_OP_REPLY, "reply", kHandle | kOffset | kMemory, 0, op_reply),
    row(FC_OP_SETATTR, "setattr", kHandle | kOffset | kMemory | kFlags, 0, op_setattr),
    row(FC_OP_STATFS, "statfs", kHandle | kMemory, 0, op_statfs),
    row(FC_OP_MKNOD, "mknod", kHandle | kOffset | kMemory, 0, op_mknod),
    row(FC_OP_SEEK, "seek", kHandle | kOffset | kMemory | kFlags, 0, op_seek),
    row(FC_OP_GETXATTR, "getxattr", kHandle | kOffset | kMemory | kFlags, 0, op_getxattr),
    row(FC_OP_SETXATTR, "setxattr", kHandle | kOffset | kMemory | kFlags, 0, op_setxattr),
    row(FC_OP_REMOVEXATTR, "removexattr", kHandle | kMemory | kFlags, 0, op_removexattr),
    row(FC_OP_LISTXATTR, "listxattr", kHandle | kOffset | kMemory | kFlags, 0, op_listxattr),
};
static_assert(std::size(kRows) == FC_OP_COUNT, "one row per op");
static_assert([] {
    for (unsigned i = 0; i < std::size(kRows); i++)
        if (kRows[i].opcode != i) return false;
    return true;
}());

}  // namespace

const OpInfo& op_info(uint8_t opcode) {
    return kRows[opcode].info;
}

int check_command(const fc_command& command) {
    if (command.opcode >= FC_OP_COUNT) return -EOPNOTSUPP;
    const OpInfo& op = kRows[command.opcode].info;
    // Word by word, as the ring's copy wrote them: a wider load of what was stored in 8-byte pieces a moment
    // ago waits for the stores to reach the cache, which costs more than all the rest. Relaxed loads are
    // never merged.
    const auto* words = reinterpret_cast<const fc_word*>(&command);
    uint64_t stray = static_cast<uint16_t>(command.flags & ~op.flags);
#pragma GCC unroll 7
    for (int i = 0; i < 7; i++)
        stray |= fc_load_relaxed(&words[i]) & ~op.used[i];
    // Two fields that only mean something beside others.
    if (command.wait_count == 0) stray |= command.wait;
    if (!(command.flags & (FC_F_RESULT_STORE | FC_F_RESULT_ADD))) stray |= command.result_var;
    if (stray != 0) return -EINVAL;
    if ((command.flags & FC_F_RESULT_STORE) && (command.flags & FC_F_RESULT_ADD)) return -EINVAL;
    if ((command.flags & FC_F_CHAIN_DEADLINE) && command.deadline == 0) return -EINVAL;
    // What would never end by itself can't go on without its client.
    const bool endless = (command.flags & FC_F_MULTISHOT) || command.opcode == FC_OP_EVENT_WAIT;
    if ((command.flags & FC_F_DETACH) && endless) return -EINVAL;
    return command.wait_count > FC_MAX_WAITS ? -EINVAL : 0;
}

}  // namespace farcall
