// SPDX-License-Identifier: MIT
// Bytes to and from the host's sockets.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <farcall/prep.h>

#include "guest-lib/aem/calls.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/socket_calls.h"
#include "guest-lib/aem/state.h"

using namespace farcall::aem;

namespace farcall::aem {

bool socket_ready(uint32_t handle) {
    fc_command command;
    // A poll that finds nothing waits: so it gets a deadline that has passed as soon as it starts to.
    farcall_prep_poll(&command, handle, POLLIN);
    farcall_set_deadline(&command, 1);
    return run_command(command) > 0;
}

}  // namespace farcall::aem

namespace {

constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE;
constexpr int kRecvFlags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_WAITALL | MSG_TRUNC;

/// Data of a handler, or other memory of the arena, needs no copy.
bool in_arena(const void* data, size_t bytes, uint64_t* offset) {
    *offset = farcall_arena_offset(g.client, data);
    uint64_t size = 0;
    farcall_arena(g.client, &size);
    return *offset != FC_OFFSET_CURRENT && bytes <= size - *offset && bytes <= FC_MAX_TRANSFER;
}

ssize_t send_staged(const CallLease& lease, uint32_t handle, const char* data, size_t bytes, int flags) {
    size_t sent = 0;
    do {
        const size_t step = std::min<size_t>(bytes - sent, Call::kStaging);
        std::memcpy(lease->staging, data + sent, step);
        const bool last = sent + step == bytes;
        fc_command command;
        farcall_prep_send(&command, handle, 0, lease->offset, static_cast<uint32_t>(step),
                          static_cast<unsigned>(last ? flags : flags | MSG_MORE));
        const int rc = lease.run(command);
        if (rc < 0) return sent > 0 ? static_cast<ssize_t>(sent) : rc;
        sent += static_cast<size_t>(rc);
        if (static_cast<size_t>(rc) < step) break;
    } while (sent < bytes);
    return static_cast<ssize_t>(sent);
}

ssize_t finish_bytes(ssize_t rc) {
    return rc < 0 ? finish(static_cast<int>(rc)) : rc;
}

}  // namespace

ssize_t farcall_aem_send(int fd, const void* data, size_t bytes, int flags) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::send(fd, data, bytes, flags);
    uint32_t handle = 0;
    bool nonblocking = false;
    if (int rc = find_handle(fd, &handle, &nonblocking); rc < 0) return finish(rc);
    if ((flags & ~kSendFlags) != 0) return finish(-EINVAL);
    if (data == nullptr && bytes > 0) return finish(-EFAULT);
    if (nonblocking) flags |= MSG_DONTWAIT;
    const CallLease lease;
    if (lease.error() < 0) return finish(lease.error());
    uint64_t offset = 0;
    if (bytes == 0 || !in_arena(data, bytes, &offset))
        return finish_bytes(send_staged(lease, handle, static_cast<const char*>(data), bytes, flags));
    fc_command command;
    farcall_prep_send(&command, handle, 0, offset, static_cast<uint32_t>(bytes),
                      static_cast<unsigned>(flags));
    return finish(lease.run(command));
}

ssize_t farcall_aem_recv(int fd, void* data, size_t bytes, int flags) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::recv(fd, data, bytes, flags);
    uint32_t handle = 0;
    bool nonblocking = false;
    if (int rc = find_handle(fd, &handle, &nonblocking); rc < 0) return finish(rc);
    if ((flags & ~kRecvFlags) != 0) return finish(-EINVAL);
    if (data == nullptr && bytes > 0) return finish(-EFAULT);
    if (nonblocking) flags |= MSG_DONTWAIT;
    const CallLease lease;
    if (lease.error() < 0) return finish(lease.error());
    const size_t room = std::min<size_t>(bytes, Call::kStaging);
    fc_command command;
    farcall_prep_recv(&command, handle, 0, lease->offset, static_cast<uint32_t>(room),
                      static_cast<unsigned>(flags));
    const int rc = lease.run(command);
    if (rc > 0 && data != nullptr)
        std::memcpy(data, lease->staging, std::min<size_t>(room, static_cast<size_t>(rc)));
    return finish(rc);
}

ssize_t farcall_aem_write(int fd, const void* data, size_t bytes) {
    return FARCALL_AEM_IS_SOCKET(fd) ? farcall_aem_send(fd, data, bytes, 0) : ::write(fd, data, bytes);
}

ssize_t farcall_aem_read_now(int fd, void* data, size_t bytes) {
    return FARCALL_AEM_IS_SOCKET(fd) ? farcall_aem_recv(fd, data, bytes, 0) : ::read(fd, data, bytes);
}
