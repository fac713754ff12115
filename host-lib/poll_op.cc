// SPDX-License-Identifier: MIT
// POLL (one and multishot), on sockets, streams and files.
#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/socket.h"
#include "host-lib/socket_ops.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr uint32_t kAskable =
    POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND;
constexpr uint32_t kAlways = POLLERR | POLLHUP;
constexpr uint32_t kFileReady = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
// Bits of poll and of epoll are the same numbers.
static_assert(POLLIN == EPOLLIN && POLLPRI == EPOLLPRI && POLLOUT == EPOLLOUT && POLLRDHUP == EPOLLRDHUP &&
              POLLERR == EPOLLERR && POLLHUP == EPOLLHUP && POLLRDNORM == EPOLLRDNORM &&
              POLLWRNORM == EPOLLWRNORM && POLLRDBAND == EPOLLRDBAND && POLLWRBAND == EPOLLWRBAND);

using Outcome = ReadyWaiter::Outcome;

class PollWaiter final : public ReadyWaiter {
  public:
    PollWaiter(Client& client, std::shared_ptr<HostObject> object, uint32_t mask, bool multishot)
        : ReadyWaiter(client, Side::kPoll), object_(std::move(object)), mask_(mask), multishot_(multishot) {}

    Outcome retry(uint32_t ready) override {
        ready &= mask_ | kAlways;
        if (ready == 0) return Outcome::wait();
        if (!multishot_) return Outcome::done(ready);
        if (may_shoot()) client().shot(ref(), ready);
        return Outcome::wait();
    }

  private:
    std::shared_ptr<HostObject> object_;  // whose descriptor it is
    uint32_t mask_;
    bool multishot_;
};

/// What can be polled behind a handle.
struct Polled {
    std::shared_ptr<HostObject> object;
    std::shared_ptr<Watch> watch;
    int fd = -1;  ///< -1: a file, or a stream that is not there: never keeps anybody waiting
};

int find_polled(Client& client, uint64_t handle, Polled* out) {
    Readiness& readiness = client.worker().readiness();
    out->object = client.handles().find(handle);
    if (Socket* socket = client.handles().get<Socket>(handle)) {
        socket->watched(readiness);
        out->watch = socket->watch;
        out->fd = socket->fd.get();
        return 0;
    }
    const File* file = client.handles().get<File>(handle);
    if (file == nullptr) return -EBADF;
    if (file->kind != File::Kind::kStream || file->fd < 0) return 0;
    out->watch = readiness.borrowed(file->fd);
    out->fd = file->fd;
    return 0;
}

}  // namespace

int64_t op_poll(Client& client, Task& task, const Operands& operands) {
    const bool now = task.cmd.op_flags == FC_POLL_NOW;
    if ((operands.offset & ~uint64_t{kAskable | kAlways}) || (task.cmd.op_flags != 0 && !now)) return -EINVAL;
    const auto mask = static_cast<uint32_t>(operands.offset);
    Polled polled;
    if (int err = find_polled(client, operands.handle, &polled)) return err;
    const bool multishot = task.cmd.flags & FC_F_MULTISHOT;
    if (multishot && (now || (task.cmd.flags & FC_F_DETACH))) return -EINVAL;
    uint32_t ready = kFileReady & mask;
    if (polled.fd >= 0) {
        pollfd look{polled.fd, static_cast<short>(mask), 0};
        if (::poll(&look, 1, 0) < 0) return -errno;
        ready = static_cast<uint16_t>(look.revents);
    } else if (multishot || (ready == 0 && !now)) {
        return -EPERM;  // it never changes
    }
    if (now || (ready != 0 && !multishot)) return ready;
    return suspend_on(client, task, *polled.watch,
                      std::make_unique<PollWaiter>(client, polled.object, mask, multishot), mask | kAlways,
                      multishot);
}

}  // namespace farcall
