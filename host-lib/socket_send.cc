// SPDX-License-Identifier: MIT
// SEND, SENDMSG, and WRITE on a socket.
#include <array>
#include <cerrno>

#include "host-lib/ancillary.h"
#include "host-lib/client.h"
#include "host-lib/fc_msg.h"
#include "host-lib/memory_spans.h"
#include "host-lib/operands.h"
#include "host-lib/socket.h"
#include "host-lib/socket_ops.h"
#include "host-lib/unix_socket.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr uint64_t kStepBytes = 256 << 10;  ///< of a stream, before other sockets have their turn
constexpr size_t kPieces = 1024;            ///< as many as sendmsg() takes
constexpr uint32_t kFlags = FC_MSG_DONTWAIT | FC_MSG_NOSIGNAL | FC_MSG_MORE;

using Side = ReadyWaiter::Side;
using Outcome = ReadyWaiter::Outcome;

/// One send, and how far it has come.
struct Send {
    std::shared_ptr<Socket> socket;
    MemorySpans memory;
    int flags = 0;       ///< MSG_*
    SocketAddress to{};  ///< length 0: the socket's peer
    fc_ancillary ancillary{};
    uint64_t sent = 0;

    /// One system call. done(), or wait(), or again(): a stream took some.
    Outcome step();
    /// Until done, or it has to wait. Bounded unless the client said that it must not wait.
    Outcome run();
    Outcome fail(int err) const { return Outcome::done(sent > 0 ? static_cast<int64_t>(sent) : -err); }
};

Outcome Send::step() {
    std::array<iovec, kPieces> pieces;
    uint64_t covered = 0;
    const bool stream = socket->stream();
    msghdr message{};
    message.msg_name = to.length > 0 ? to.get() : nullptr;
    message.msg_namelen = to.length;
    message.msg_iov = pieces.data();
    message.msg_iovlen = memory.slice(sent, stream ? kStepBytes : memory.bytes(), pieces, &covered);
    if (!stream && covered < memory.bytes()) return Outcome::done(-EMSGSIZE);
    ControlMessages control;
    if (ancillary.present != 0) control.write(ancillary, message);
    ssize_t n;
    do {
        n = ::sendmsg(socket->fd.get(), &message, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) return flags & MSG_DONTWAIT ? fail(EAGAIN) : Outcome::wait();
    if (n < 0) return fail(errno);
    sent += static_cast<uint64_t>(n);
    return !stream || sent == memory.bytes() ? Outcome::done(static_cast<int64_t>(sent)) : Outcome::again();
}

Outcome Send::run() {
    const uint64_t begun = sent;
    Outcome outcome = step();
    // After a short step once more: only EAGAIN makes the kernel tell when there is room.
    while (outcome.kind == Outcome::Kind::kAgain && ((flags & MSG_DONTWAIT) || sent - begun < kStepBytes))
        outcome = step();
    return outcome;
}

class SendWaiter final : public ReadyWaiter {
  public:
    SendWaiter(Client& client, Send send) : ReadyWaiter(client, Side::kWrite), send_(std::move(send)) {
        send_.memory.pin();
    }
    Outcome retry(uint32_t /*ready*/) override { return send_.run(); }

  private:
    Send send_;
};

int64_t start(Client& client, Task& task, Send send) {
    bool more = false;
    if (send.socket->idle(Side::kWrite)) {
        const Outcome outcome = send.run();
        if (outcome.kind == Outcome::Kind::kDone) return outcome.result;
        more = outcome.kind == Outcome::Kind::kAgain;
    } else if (send.flags & MSG_DONTWAIT) {
        return -EAGAIN;
    }
    const uint64_t sent = send.sent;
    Watch& watch = send.socket->watched(client.worker().readiness());
    const int64_t result =
        suspend_on(client, task, watch, std::make_unique<SendWaiter>(client, std::move(send)), 0, more);
    return result == kPending || sent == 0 ? result : static_cast<int64_t>(sent);
}

// Our flags have Linux's numbers.
int check_flags(const Task& task) {
    return task.cmd.op_flags & ~kFlags ? -EINVAL : 0;
}

// Sends to an address: judged, or resolved in the blocking pool.
int64_t start_to(Client& client, Task& task, const Operands& operands, Send send, const fc_iov& name) {
    Region* region = nullptr;
    if (int err = find_range(client, name.region, name.buffer, name.length, false, &region)) return err;
    if (int err = read_address(*region, name.buffer, name.length, &send.to)) return err;
    if (!send.socket->ip()) {
        if (send.socket->type != SOCK_DGRAM) return -EISCONN;
        return unix_send_to(client, task, operands, send.to, std::move(send.memory), send.flags);
    }
    if (operands.offset != 0) return -EINVAL;
    if (int err = judge_peer(client.domain().net, *send.socket, send.to)) return err;
    return start(client, task, std::move(send));
}

}  // namespace

int64_t op_send(Client& client, Task& task, const Operands& operands) {
    Send send{client.handles().share<Socket>(operands.handle), {}, task.cmd.op_flags};
    if (send.socket == nullptr) return -EBADF;
    if (int err = check_flags(task)) return err;
    if (int err = send.memory.add(client, task.cmd.region, operands.buffer, operands.length, false))
        return err;
    return start(client, task, std::move(send));
}

int64_t op_sendmsg(Client& client, Task& task, const Operands& operands) {
    Send send{client.handles().share<Socket>(operands.handle), {}, task.cmd.op_flags};
    if (send.socket == nullptr) return -EBADF;
    if (int err = check_flags(task)) return err;
    fc_msg message;
    Region* region = nullptr;
    if (int err = read_message(client, task, operands, false, &message, &send.ancillary, &region)) return err;
    if (int err = judge_ancillary(*send.socket, send.ancillary)) return err;
    if (int err = send.memory.add_array(client, message.iov, message.iov_count, false)) return err;
    if (message.name.length == 0) {
        return operands.offset != 0 ? -EINVAL : start(client, task, std::move(send));
    }
    return start_to(client, task, operands, std::move(send), message.name);
}

int64_t socket_write(Client& client, Task& task, uint64_t handle, uint64_t offset, MemorySpans memory) {
    if (offset != FC_OFFSET_CURRENT) return -ESPIPE;
    Send send{client.handles().share<Socket>(handle), std::move(memory)};
    return start(client, task, std::move(send));
}

}  // namespace farcall
