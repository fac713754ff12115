// SPDX-License-Identifier: MIT
// RECV (one and multishot, into the client's memory or a buffer that the host picks), RECVMSG, and READ on a
// socket.
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

#include "host-lib/ancillary.h"
#include "host-lib/buffer_pool.h"
#include "host-lib/client.h"
#include "host-lib/fc_msg.h"
#include "host-lib/memory_spans.h"
#include "host-lib/operands.h"
#include "host-lib/socket.h"
#include "host-lib/socket_ops.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr uint64_t kStepBytes = 256 << 10;  ///< of a stream, before other sockets have their turn
constexpr size_t kPieces = 1024;            ///< as many as recvmsg() takes
constexpr int kShotsPerTry = 16;
constexpr int kDropsPerTry = 16;  ///< datagrams from senders that the policy does not know
constexpr uint32_t kFlags = FC_MSG_PEEK | FC_MSG_TRUNC | FC_MSG_DONTWAIT | FC_MSG_WAITALL | FC_MSG_NOSIGNAL;
constexpr uint32_t kPoolFlags = FC_MSG_POOL | FC_MSG_DONTWAIT | FC_MSG_NOSIGNAL;

using Side = ReadyWaiter::Side;
using Outcome = ReadyWaiter::Outcome;

/// One receive, and how far it has come.
struct Receive {
    std::shared_ptr<Socket> socket;
    MemorySpans memory;
    std::shared_ptr<BufferPool> pool;  ///< instead of memory
    uint32_t limit = 0;                ///< bytes of one buffer
    int flags = 0;                     ///< MSG_*
    // RECVMSG
    Region* message = nullptr;
    uint64_t message_at = 0;
    fc_iov name{};
    Region* name_region = nullptr;
    bool ancillary = false;  ///< there is room for them
    uint64_t received = 0;

    Outcome run(Client& client);
    Outcome run_pooled(Client& client);
    Outcome step(Client& client);
    bool wait_all() const { return socket->stream() && (flags & MSG_WAITALL) && !(flags & MSG_DONTWAIT); }
    Outcome blocked() const;
    Outcome taken(const msghdr& header, const SocketAddress& from, uint64_t n);
    int drop_stranger(const NetPolicy& policy, bool* stranger) const;
    void describe(const msghdr& header, const SocketAddress& from) const;
};

Outcome Receive::blocked() const {
    if (!(flags & MSG_DONTWAIT)) return Outcome::wait();
    return Outcome::done(received > 0 ? static_cast<int64_t>(received) : -EAGAIN);
}

// What RECVMSG writes beside the data. The fields may have changed since they were copied: it does not
// matter.
void Receive::describe(const msghdr& header, const SocketAddress& from) const {
    const uint32_t flags_out =
        static_cast<uint32_t>(header.msg_flags) & ~static_cast<uint32_t>(MSG_CMSG_CLOEXEC);
    message->copy_in(message_at + offsetof(fc_msg, flags), &flags_out, sizeof(flags_out));
    message->copy_in(message_at + offsetof(fc_msg, name_length), &from.length, sizeof(uint32_t));
    if (ancillary) {
        const fc_ancillary found = ControlMessages::read(header);
        message->copy_in(message_at + sizeof(fc_msg), &found, sizeof(found));
    }
    if (name_region != nullptr)
        name_region->copy_in(name.buffer, &from.storage, std::min(name.length, from.length));
}

// Looks at where the next datagram comes from, and throws it away if nobody may send it. Its contents must
// not reach the client's memory first. 0, or -errno: -EAGAIN when there is none.
int Receive::drop_stranger(const NetPolicy& policy, bool* stranger) const {
    SocketAddress from;
    msghdr header{};
    header.msg_name = from.get();
    header.msg_namelen = *from.room();
    *stranger = false;
    if (::recvmsg(socket->fd.get(), &header, MSG_PEEK | MSG_DONTWAIT) < 0) return -errno;
    *stranger = !takes_from(policy, *socket, from);
    if (*stranger) static_cast<void>(::recv(socket->fd.get(), nullptr, 0, MSG_DONTWAIT | MSG_TRUNC));
    return 0;
}

Outcome Receive::taken(const msghdr& header, const SocketAddress& from, uint64_t n) {
    if (socket->peers != nullptr) {
        if (const auto peer = from.endpoint()) socket->peers->add(*peer);
    }
    if (pool != nullptr) {
        // The end of a stream, and an empty datagram, need no buffer.
        if (n == 0) return Outcome::done(0);
        return Outcome::done(pool->take(static_cast<uint32_t>(n)), pool->event_flags());
    }
    received = flags & MSG_PEEK ? n : received + n;
    if (message != nullptr) describe(header, from);
    if (!wait_all() || n == 0 || received >= memory.bytes())
        return Outcome::done(static_cast<int64_t>(received));
    if (!(flags & MSG_PEEK)) return Outcome::again();
    pollfd look{socket->fd.get(), POLLRDHUP, 0};  // no more will come than was seen
    return ::poll(&look, 1, 0) > 0 ? Outcome::done(static_cast<int64_t>(received)) : Outcome::wait();
}

// One recvmsg(). again(): there may be more for WAITALL.
Outcome Receive::step(Client& client) {
    const NetPolicy& policy = client.domain().net;
    if (filters_senders(policy, *socket)) {
        bool stranger = true;
        for (int i = 0; stranger; i++) {
            if (i == kDropsPerTry) return flags & MSG_DONTWAIT ? Outcome::done(-EAGAIN) : Outcome::again();
            const int err = drop_stranger(policy, &stranger);
            if (err == -EAGAIN) return blocked();
            if (err != 0) return Outcome::done(err);
        }
    }
    std::array<iovec, kPieces> pieces;
    uint64_t covered = 0;
    SocketAddress from;
    msghdr header{};
    header.msg_iov = pieces.data();
    if (pool != nullptr) {
        header.msg_iovlen = pool->offered(pieces);
    } else {
        const uint64_t most = socket->stream() ? kStepBytes : memory.bytes();
        header.msg_iovlen = memory.slice(flags & MSG_PEEK ? 0 : received, most, pieces, &covered);
    }
    if (message != nullptr || socket->peers != nullptr) {
        header.msg_name = from.get();
        header.msg_namelen = *from.room();
    }
    ControlMessages control;
    if (ancillary && socket->ip()) control.offer(header);
    const int call_flags = (flags & ~MSG_WAITALL) | MSG_DONTWAIT;
    ssize_t n;
    do {
        n = ::recvmsg(socket->fd.get(), &header, call_flags);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) return blocked();
    if (n < 0) return Outcome::done(received > 0 ? static_cast<int64_t>(received) : -errno);
    from.length = std::min<socklen_t>(header.msg_namelen, sizeof(from.storage));
    if (!socket->ip() && from.length > 0) from = make_unix_address({});
    return taken(header, from, static_cast<uint64_t>(n));
}

Outcome Receive::run_pooled(Client& client) {
    // A datagram that does not fit loses its end, so it gets all of the room that it was promised.
    if (!pool->offer(limit, !socket->stream())) {
        // Only who has something waiting is told that there is no buffer for it.
        pollfd look{socket->fd.get(), POLLIN, 0};
        return ::poll(&look, 1, 0) > 0 ? Outcome::done(-ENOBUFS) : blocked();
    }
    const Outcome outcome = step(client);
    pool->withdraw();
    return outcome;
}

Outcome Receive::run(Client& client) {
    if (pool != nullptr) return run_pooled(client);
    const uint64_t begun = received;
    Outcome outcome = step(client);
    while (outcome.kind == Outcome::Kind::kAgain && received > begun && received - begun < kStepBytes) {
        const uint64_t before = received;
        outcome = step(client);
        if (received == before) break;
    }
    return outcome;
}

class ReceiveWaiter final : public ReadyWaiter {
  public:
    ReceiveWaiter(Client& client, Receive receive, bool multishot)
        : ReadyWaiter(client, Side::kRead), receive_(std::move(receive)), multishot_(multishot) {
        receive_.memory.pin();
        for (Region* region : {receive_.message, receive_.name_region})
            if (region != nullptr) pins_.emplace_back(*region);
    }

    Outcome retry(uint32_t /*ready*/) override {
        if (!multishot_) return receive_.run(client());
        for (int i = 0; i < kShotsPerTry; i++) {
            if (!may_shoot()) return Outcome::wait();
            const Outcome outcome = receive_.run(client());
            const bool end = outcome.result < 0 || (outcome.result == 0 && receive_.socket->stream());
            if (outcome.kind != Outcome::Kind::kDone || end) return outcome;
            client().shot(ref(), outcome.result, outcome.event_flags);
        }
        return Outcome::again();
    }

  private:
    Receive receive_;
    bool multishot_;
    std::vector<RegionPin> pins_;
};

int64_t start(Client& client, Task& task, Receive receive) {
    const bool multishot = task.cmd.flags & FC_F_MULTISHOT;
    bool more = multishot;
    if (!multishot && receive.socket->idle(Side::kRead)) {
        const Outcome outcome = receive.run(client);
        if (outcome.kind == Outcome::Kind::kDone) {
            if (outcome.event_flags == 0) return outcome.result;
            client.finish(task, outcome.result, outcome.event_flags);
            task.node = kNoNode;  // it was given back
            return kPending;
        }
        more = outcome.kind == Outcome::Kind::kAgain;
    } else if (receive.flags & MSG_DONTWAIT) {
        return -EAGAIN;
    }
    const uint64_t received = receive.received;
    Watch& watch = receive.socket->watched(client.worker().readiness());
    const int64_t result = suspend_on(
        client, task, watch, std::make_unique<ReceiveWaiter>(client, std::move(receive), multishot), 0, more);
    return result == kPending || received == 0 ? result : static_cast<int64_t>(received);
}

int64_t start_pooled(Client& client, Task& task, const Operands& operands, Receive receive) {
    if (task.cmd.op_flags & ~kPoolFlags) return -EINVAL;
    if (task.cmd.region != 0 || operands.buffer != 0) return -EINVAL;
    const bool senseless = (task.cmd.op_flags & FC_MSG_DONTWAIT) || (task.cmd.flags & FC_F_DETACH);
    if ((task.cmd.flags & FC_F_MULTISHOT) && senseless) return -EINVAL;
    receive.pool = client.handles().share<BufferPool>(operands.offset);
    if (receive.pool == nullptr) return -EBADF;
    receive.limit = receive.pool->largest(operands.length);
    receive.flags &= ~static_cast<int>(FC_MSG_POOL);
    return start(client, task, std::move(receive));
}

}  // namespace

int read_message(Client& client, const Task& task, const Operands& operands, bool host_writes, fc_msg* out,
                 fc_ancillary* ancillary, Region** region) {
    if (operands.length < sizeof(*out)) return -EINVAL;
    if (int err = find_range(client, task.cmd.region, operands.buffer, operands.length, host_writes, region))
        return err;
    (*region)->copy_out(operands.buffer, out, sizeof(*out));
    if (out->ancillary == 0) return 0;
    if (out->ancillary != sizeof(*ancillary)) return -EINVAL;
    if (operands.length < sizeof(*out) + sizeof(*ancillary)) return -EINVAL;
    (*region)->copy_out(operands.buffer + sizeof(*out), ancillary, sizeof(*ancillary));
    return 0;
}

int64_t op_recv(Client& client, Task& task, const Operands& operands) {
    Receive receive;
    receive.socket = client.handles().share<Socket>(operands.handle);
    if (receive.socket == nullptr) return -EBADF;
    receive.flags = task.cmd.op_flags;  // they have Linux's numbers
    if (task.cmd.op_flags & FC_MSG_POOL) return start_pooled(client, task, operands, std::move(receive));
    // Without a pool the next shot would overwrite what the last one brought.
    if ((task.cmd.flags & FC_F_MULTISHOT) || operands.offset != 0) return -EINVAL;
    if (task.cmd.op_flags & ~kFlags) return -EINVAL;
    if (int err = receive.memory.add(client, task.cmd.region, operands.buffer, operands.length, true))
        return err;
    return start(client, task, std::move(receive));
}

int64_t op_recvmsg(Client& client, Task& task, const Operands& operands) {
    Receive receive;
    receive.socket = client.handles().share<Socket>(operands.handle);
    if (receive.socket == nullptr) return -EBADF;
    if (task.cmd.op_flags & ~kFlags) return -EINVAL;
    receive.flags = task.cmd.op_flags;
    fc_msg message;
    fc_ancillary unused;
    if (int err = read_message(client, task, operands, true, &message, &unused, &receive.message)) return err;
    receive.ancillary = message.ancillary != 0;
    receive.message_at = operands.buffer;
    receive.name = message.name;
    if (message.name.length > 0) {
        if (int err = find_range(client, message.name.region, message.name.buffer, message.name.length, true,
                                 &receive.name_region))
            return err;
    }
    if (int err = receive.memory.add_array(client, message.iov, message.iov_count, true)) return err;
    return start(client, task, std::move(receive));
}

int64_t socket_read(Client& client, Task& task, uint64_t handle, uint64_t offset, MemorySpans memory) {
    if (offset != FC_OFFSET_CURRENT) return -ESPIPE;
    Receive receive;
    receive.socket = client.handles().share<Socket>(handle);
    receive.memory = std::move(memory);
    return start(client, task, std::move(receive));
}

}  // namespace farcall
