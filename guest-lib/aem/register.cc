// SPDX-License-Identifier: MIT
// Registrations: every kind fills a descriptor and arms it.
#include <cerrno>

#include "guest-lib/aem/arm.h"
#include "guest-lib/aem/fetch.h"
#include "guest-lib/aem/relations.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/session.h"
#include "guest-lib/aem/socket_state.h"
#include "guest-lib/aem/state.h"

using namespace farcall::aem;

namespace farcall::aem {

uint32_t find_descriptor(int number) {
    if (number <= 0) return kNone;
    const uint32_t slot = static_cast<uint32_t>(number - 1) & 0xfffff;
    if (!g.descriptors.contains(slot)) return kNone;
    const Descriptor& d = g.descriptors.at(slot);
    return d.kind != Kind::kFree && !d.ended && descriptor_number(slot) == number ? slot : kNone;
}

SocketEntry* find_socket(int fd) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return nullptr;
    const auto slot = static_cast<uint32_t>(fd - FARCALL_AEM_FD_BASE);
    if (!g.sockets.contains(slot) || g.sockets.at(slot).handle == 0) return nullptr;
    return &g.sockets.at(slot);
}

}  // namespace farcall::aem

namespace {

constexpr int kFlags = EVF_ONESHOT | EVF_FORK | EVF_NOCLDWAIT | EVF_STOPPED | 0x1ff;

/// What a registration says, beside its kind's own fields.
struct Request {
    Kind kind;
    int fd;  ///< -1: none
    void (*handler)();
    int flags;
};

template <typename Handler>
Request request(Kind kind, int fd, Handler* handler, int flags) {
    return {kind, fd, reinterpret_cast<void (*)()>(handler), flags};
}

bool taken(const SocketEntry& socket, Kind kind) {
    if (kind != Kind::kAccept && kind != Kind::kRead) return false;
    for (uint32_t slot = socket.first; slot != kNone; slot = g.descriptors.at(slot).next_on_socket) {
        const Kind other = g.descriptors.at(slot).kind;
        if (other == Kind::kAccept || other == Kind::kRead) return true;
    }
    return false;
}

int check(const Request& asked) {
    if (asked.handler == nullptr || (asked.flags & ~kFlags) != 0) return -EINVAL;
    if ((asked.flags & 0x1ff) != 0 && (asked.flags & 0x100) == 0) return -EINVAL;
    if (asked.fd < 0) return asked.kind == Kind::kTimer ? 0 : -EBADF;
    const SocketEntry* socket = find_socket(asked.fd);
    if (socket == nullptr) return -EBADF;
    if (taken(*socket, asked.kind)) return -EBUSY;
    if (asked.kind == Kind::kClose && !socket->connected) return -ENOTCONN;
    return 0;
}

/// Its slot, or -errno.
int create(const Request& asked) {
    if (int rc = check(asked); rc < 0) return rc;
    const int channel = choose_channel();
    if (channel < 0) return channel;
    const uint32_t slot = g.descriptors.allocate();
    if (slot == kNone) return -ENOMEM;
    Descriptor& d = g.descriptors.at(slot);
    const uint16_t generation = d.generation;
    d = {};
    d.generation = generation;
    d.kind = asked.kind;
    d.handler = asked.handler;
    d.flags = asked.flags;
    d.priority = (asked.flags & 0x100) != 0 ? static_cast<uint8_t>(asked.flags) : JOB_NORMAL;
    d.started = (asked.flags & EVF_STOPPED) == 0;
    d.channel = static_cast<uint16_t>(channel);
    d.socket = asked.fd < 0 ? kNone : static_cast<uint32_t>(asked.fd - FARCALL_AEM_FD_BASE);
    d.held = {};
    g.channels[channel].registrations++;
    link_descriptor(slot);
    return static_cast<int>(slot);
}

/// `fill` sets what belongs to the kind, before the host hears of it. The number, or -errno with errno.
template <typename Fill>
int register_event(const Request& asked, Fill fill) {
    if (int rc = ensure_open(); rc < 0) return fail(rc);
    const Section section;
    const int slot = create(asked);
    if (slot < 0) return fail(slot);
    fill(g.descriptors.at(static_cast<uint32_t>(slot)));
    const int number = descriptor_number(static_cast<uint32_t>(slot));
    const int rc = arm(static_cast<uint32_t>(slot));
    if (rc == 0) return number;
    end_descriptor(static_cast<uint32_t>(slot));
    return fail(rc);
}

}  // namespace

int farcall_aem_accept(int fd, sockaddr* address, socklen_t* length, farcall_aem_accept_handler* handler,
                       int flags) {
    if (address != nullptr && (length == nullptr || *length == 0)) return fail(-EINVAL);
    return register_event(request(Kind::kAccept, fd, handler, flags), [&](Descriptor& d) {
        d.accept = {address, length, address != nullptr ? *length : 0};
    });
}

int farcall_aem_read(int fd, size_t count, farcall_aem_read_handler* handler, int flags) {
    return register_event(request(Kind::kRead, fd, handler, flags), [&](Descriptor& d) {
        d.read.most = count < g.options.buffer_bytes ? static_cast<uint32_t>(count) : 0;
    });
}

int farcall_aem_close_event(int fd, farcall_aem_close_handler* handler, int flags) {
    return register_event(request(Kind::kClose, fd, handler, flags), [](Descriptor& d) {
        d.close = {0, false};
    });
}

static int register_state(Kind kind, int fd, int state, farcall_aem_state_handler* handler, int flags) {
    if (int rc = check_state(kind, state); rc < 0) return fail(rc);
    return register_event(request(kind, fd, handler, flags), [&](Descriptor& d) { d.state = {state}; });
}

int farcall_aem_sk(int fd, int state, farcall_aem_state_handler* handler, int flags) {
    return register_state(Kind::kTcpState, fd, state, handler, flags);
}

int farcall_aem_sock(int fd, int state, farcall_aem_state_handler* handler, int flags) {
    return register_state(Kind::kSocketState, fd, state, handler, flags);
}

int farcall_aem_timer_ns(unsigned long long interval, unsigned long long period,
                         farcall_aem_timer_handler* handler, int flags) {
    constexpr unsigned long long kMost = 1ull << 62;
    if (interval > kMost || period > kMost || (period != 0 && period < 1000)) return fail(-EINVAL);
    return register_event(request(Kind::kTimer, -1, handler, flags), [&](Descriptor& d) {
        d.timer = {interval, period, 0, 0};
    });
}

int farcall_aem_timer(unsigned long interval, unsigned long period, farcall_aem_timer_handler* handler,
                      int flags) {
    constexpr unsigned long kMs = 1'000'000;
    if (interval > (1ul << 62) / kMs || period > (1ul << 62) / kMs) return fail(-EINVAL);
    return farcall_aem_timer_ns(interval * kMs, period * kMs, handler, flags);
}
