// SPDX-License-Identifier: MIT
// ACCEPT (one and multishot) and CONNECT.
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "host-lib/client.h"
#include "host-lib/operands.h"
#include "host-lib/socket.h"
#include "host-lib/socket_ops.h"
#include "host-lib/unix_socket.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr int kShotsPerTry = 16;

using Side = ReadyWaiter::Side;
using Outcome = ReadyWaiter::Outcome;

/// Takes one connection. A handle, -EAGAIN, or another error.
int64_t accept_one(Client& client, Socket& listener, SocketAddress* peer) {
    if (client.handles().full()) {
        // The connection stays where it is; but only who has one waiting is told.
        pollfd look{listener.fd.get(), POLLIN, 0};
        return ::poll(&look, 1, 0) == 0 ? -EAGAIN : -EMFILE;
    }
    int fd;
    do {
        fd = ::accept4(listener.fd.get(), peer->get(), peer->room(), SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return -errno;
    auto socket = std::make_shared<Socket>(UniqueFd(fd), listener.family, listener.type);
    socket->host_port = listener.host_port;
    socket->guest_port = listener.guest_port;
    socket->path = listener.path;
    if (!socket->ip()) *peer = make_unix_address({});
    return client.handles().add(std::move(socket));
}

/// Where the peer's address goes: at most a struct sockaddr_storage, zeroes behind the address.
struct AddressPlace {
    Region* region = nullptr;
    uint64_t offset = 0;
    uint32_t length = 0;

    void fill(const SocketAddress& address) const {
        if (region != nullptr) region->copy_in(offset, &address.storage, length);
    }
};

class AcceptWaiter final : public ReadyWaiter {
  public:
    AcceptWaiter(Client& client, std::shared_ptr<Socket> listener, AddressPlace place, bool multishot)
        : ReadyWaiter(client, Side::kRead),
          listener_(std::move(listener)),
          place_(place),
          multishot_(multishot) {
        if (place_.region != nullptr) pin_.emplace_back(*place_.region);
    }

    Outcome retry(uint32_t /*ready*/) override {
        for (int i = 0; i < kShotsPerTry; i++) {
            if (multishot_ && !may_shoot()) return Outcome::wait();
            SocketAddress peer;
            const int64_t result = accept_one(client(), *listener_, &peer);
            if (result == -EAGAIN) return Outcome::wait();
            if (result >= 0) place_.fill(peer);
            if (!multishot_) return Outcome::done(result);
            // A connection that was given up before it was taken is no reason to stop listening.
            if (result == -ECONNABORTED) continue;
            if (result < 0) return Outcome::done(result);
            client().shot(ref(), result);
        }
        return Outcome::again();
    }

  private:
    std::shared_ptr<Socket> listener_;
    AddressPlace place_;
    bool multishot_;
    std::vector<RegionPin> pin_;
};

/// A TCP connection that is being made, or is to be made once earlier writers are done.
class ConnectWaiter final : public ReadyWaiter {
  public:
    ConnectWaiter(Client& client, std::shared_ptr<Socket> socket, const SocketAddress& address)
        : ReadyWaiter(client, Side::kWrite), socket_(std::move(socket)), address_(address) {}

    // Asking once more tells the outcome and, unlike SO_ERROR, leaves the socket as a blocking connect()
    // would.
    Outcome retry(uint32_t /*ready*/) override {
        if (::connect(socket_->fd.get(), address_.get(), address_.length) == 0) return Outcome::done(0);
        return errno == EINPROGRESS || errno == EALREADY ? Outcome::wait() : Outcome::done(-errno);
    }

  private:
    std::shared_ptr<Socket> socket_;
    SocketAddress address_;
};

}  // namespace

int64_t op_accept(Client& client, Task& task, const Operands& operands) {
    const std::shared_ptr<Socket> socket = client.handles().share<Socket>(operands.handle);
    if (socket == nullptr) return -EBADF;
    const bool multishot = task.cmd.flags & FC_F_MULTISHOT;
    const bool dontwait = task.cmd.op_flags == FC_MSG_DONTWAIT;
    if (task.cmd.op_flags != 0 && !dontwait) return -EINVAL;
    // The next shot would overwrite the address; and shots of a detached command would go nowhere.
    if (multishot && (dontwait || operands.length != 0 || (task.cmd.flags & FC_F_DETACH))) return -EINVAL;
    AddressPlace place;
    if (operands.length != 0) {
        if (int err =
                find_range(client, task.cmd.region, operands.buffer, operands.length, true, &place.region))
            return err;
        place.offset = operands.buffer;
        place.length = std::min<uint32_t>(operands.length, sizeof(sockaddr_storage));
    }
    if (!multishot && socket->idle(Side::kRead)) {
        SocketAddress peer;
        const int64_t result = accept_one(client, *socket, &peer);
        if (result >= 0) place.fill(peer);
        if (result != -EAGAIN) return result;
    }
    if (dontwait) return -EAGAIN;
    return suspend_on(client, task, socket->watched(client.worker().readiness()),
                      std::make_unique<AcceptWaiter>(client, socket, place, multishot), 0, multishot);
}

int64_t op_connect(Client& client, Task& task, const Operands& operands) {
    const std::shared_ptr<Socket> socket = client.handles().share<Socket>(operands.handle);
    if (socket == nullptr) return -EBADF;
    Region* region = nullptr;
    if (int err = find_range(client, task.cmd.region, operands.buffer, operands.length, false, &region))
        return err;
    SocketAddress address;
    if (int err = read_address(*region, operands.buffer, operands.length, &address)) return err;
    if (!socket->ip() && address.family() != AF_UNSPEC) return unix_connect(client, task, operands, address);
    if (operands.offset != 0) return -EINVAL;
    if (address.family() != AF_UNSPEC) {  // which takes a connection back
        if (int err = judge_peer(client.domain().net, *socket, address)) return err;
    }
    if (socket->idle(Side::kWrite)) {
        if (::connect(socket->fd.get(), address.get(), address.length) == 0) return 0;
        if (errno != EINPROGRESS) return -errno;
    }
    return suspend_on(client, task, socket->watched(client.worker().readiness()),
                      std::make_unique<ConnectWaiter>(client, socket, address), 0, false);
}

}  // namespace farcall
