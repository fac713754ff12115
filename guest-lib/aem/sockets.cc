// SPDX-License-Identifier: MIT
// The socket calls on the host's sockets; ordinary descriptors go to the C library.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <farcall/prep.h>

#include "guest-lib/aem/calls.h"
#include "guest-lib/aem/relations.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/session.h"
#include "guest-lib/aem/socket_calls.h"
#include "guest-lib/aem/state.h"

using namespace farcall::aem;

namespace farcall::aem {

int find_handle(int fd, uint32_t* handle, bool* nonblocking) {
    if (int rc = ensure_open(); rc < 0) return rc;
    const Section section;
    const SocketEntry* socket = find_socket(fd);
    if (socket == nullptr) return -EBADF;
    *handle = socket->handle;
    if (nonblocking != nullptr) *nonblocking = socket->nonblocking;
    return 0;
}

int finish(int rc) {
    if (rc >= 0) return rc;
    errno = -rc;
    return -1;
}

}  // namespace farcall::aem

namespace {

using Prepare = void (*)(fc_command*, uint32_t handle, uint64_t offset, uint32_t bytes);

/// A call that takes bytes from the caller.
int call_with(int fd, const void* bytes, socklen_t length, Prepare prepare) {
    uint32_t handle = 0;
    if (int rc = find_handle(fd, &handle, nullptr); rc < 0) return finish(rc);
    if (bytes == nullptr) return finish(-EFAULT);
    if (length > Call::kStaging) return finish(-EINVAL);
    const CallLease lease;
    if (lease.error() < 0) return finish(lease.error());
    std::memcpy(lease->staging, bytes, length);
    fc_command command;
    prepare(&command, handle, lease->offset, length);
    return finish(lease.run(command));
}

/// A call that gives some: as many as there is room for; *length becomes how many there are.
int call_for(int fd, void* bytes, socklen_t* length, Prepare prepare) {
    uint32_t handle = 0;
    if (int rc = find_handle(fd, &handle, nullptr); rc < 0) return finish(rc);
    if (bytes == nullptr || length == nullptr) return finish(-EFAULT);
    const CallLease lease;
    if (lease.error() < 0) return finish(lease.error());
    const uint32_t room = std::min<uint32_t>(*length, Call::kStaging);
    fc_command command;
    prepare(&command, handle, lease->offset, room);
    const int rc = lease.run(command);
    if (rc < 0) return finish(rc);
    std::memcpy(bytes, lease->staging, std::min<uint32_t>(room, static_cast<uint32_t>(rc)));
    *length = static_cast<socklen_t>(rc);
    return 0;
}

/// A handle that the host gave becomes a socket.
int own(int handle, bool nonblocking, bool connected) {
    if (handle < 0) return finish(handle);
    uint32_t slot = kNone;
    {
        const Section section;
        slot = add_socket(static_cast<uint32_t>(handle), kNone);
        if (slot != kNone) {
            g.sockets.at(slot).nonblocking = nonblocking;
            g.sockets.at(slot).connected = connected;
        }
    }
    if (slot != kNone) return socket_number(slot);
    fc_command command;
    farcall_prep_close(&command, static_cast<uint32_t>(handle));
    run_command(command);
    return finish(-ENOMEM);
}

}  // namespace

int farcall_aem_socket(int family, int type, int protocol) {
    if (family != AF_INET && family != AF_INET6) return ::socket(family, type, protocol);
    if (int rc = ensure_open(); rc < 0) return finish(rc);
    fc_command command;
    const int bare = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);  // no exec has it
    farcall_prep_socket(&command, static_cast<unsigned>(family), static_cast<unsigned>(bare),
                        static_cast<unsigned>(protocol));
    return own(run_command(command), (type & SOCK_NONBLOCK) != 0, false);
}

int farcall_aem_bind(int fd, const sockaddr* address, socklen_t length) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::bind(fd, address, length);
    return call_with(fd, address, length, [](fc_command* c, uint32_t handle, uint64_t at, uint32_t bytes) {
        farcall_prep_bind(c, handle, 0, at, bytes, 0);
    });
}

int farcall_aem_listen(int fd, int backlog) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::listen(fd, backlog);
    uint32_t handle = 0;
    if (int rc = find_handle(fd, &handle, nullptr); rc < 0) return finish(rc);
    fc_command command;
    farcall_prep_listen(&command, handle, static_cast<unsigned>(backlog < 0 ? 0 : backlog));
    return finish(run_command(command));
}

int farcall_aem_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::accept4(fd, address, length, flags);
    uint32_t handle = 0;
    bool nonblocking = false;
    if (int rc = find_handle(fd, &handle, &nonblocking); rc < 0) return finish(rc);
    if (nonblocking && !socket_ready(handle)) return finish(-EAGAIN);
    fc_command command;
    farcall_prep_accept(&command, handle);
    const int made = own(run_command(command), (flags & SOCK_NONBLOCK) != 0, true);
    if (made >= 0 && address != nullptr && farcall_aem_getpeername(made, address, length) < 0) *length = 0;
    return made;
}

int farcall_aem_connect(int fd, const sockaddr* address, socklen_t length) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::connect(fd, address, length);
    {
        const Section section;
        if (SocketEntry* socket = find_socket(fd)) socket->connected = true;
    }
    return call_with(fd, address, length, [](fc_command* c, uint32_t handle, uint64_t at, uint32_t bytes) {
        farcall_prep_connect(c, handle, 0, at, bytes, 0);
    });
}

int farcall_aem_shutdown(int fd, int how) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::shutdown(fd, how);
    uint32_t handle = 0;
    if (int rc = find_handle(fd, &handle, nullptr); rc < 0) return finish(rc);
    fc_command command;
    farcall_prep_shutdown(&command, handle, static_cast<unsigned>(how));
    return finish(run_command(command));
}

int farcall_aem_close(int fd) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::close(fd);
    if (int rc = ensure_open(); rc < 0) return finish(rc);
    fc_command command;
    {
        const Section section;
        SocketEntry* socket = find_socket(fd);
        if (socket == nullptr) return finish(-EBADF);
        farcall_prep_close(&command, socket->handle);
        const auto slot = static_cast<uint32_t>(fd - FARCALL_AEM_FD_BASE);
        end_socket(slot);
        *socket = {};
        g.sockets.release(slot);
    }
    return finish(run_command(command));
}

int farcall_aem_getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::getsockopt(fd, level, name, value, length);
    uint32_t handle = 0;
    if (int rc = find_handle(fd, &handle, nullptr); rc < 0) return finish(rc);
    if (value == nullptr || length == nullptr) return finish(-EFAULT);
    const CallLease lease;
    if (lease.error() < 0) return finish(lease.error());
    const uint32_t room = std::min<uint32_t>(*length, Call::kStaging);
    fc_command command;
    farcall_prep_getsockopt(&command, handle, static_cast<unsigned>(level), static_cast<unsigned>(name), 0,
                            lease->offset, room);
    const int rc = lease.run(command);
    if (rc < 0) return finish(rc);
    *length = std::min<uint32_t>(room, static_cast<uint32_t>(rc));
    std::memcpy(value, lease->staging, *length);
    return 0;
}

int farcall_aem_setsockopt(int fd, int level, int name, const void* value, socklen_t length) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::setsockopt(fd, level, name, value, length);
    uint32_t handle = 0;
    if (int rc = find_handle(fd, &handle, nullptr); rc < 0) return finish(rc);
    if (value == nullptr) return finish(-EFAULT);
    if (length > Call::kStaging) return finish(-EINVAL);
    const CallLease lease;
    if (lease.error() < 0) return finish(lease.error());
    std::memcpy(lease->staging, value, length);
    fc_command command;
    farcall_prep_setsockopt(&command, handle, static_cast<unsigned>(level), static_cast<unsigned>(name), 0,
                            lease->offset, length);
    return finish(lease.run(command));
}

int farcall_aem_getsockname(int fd, sockaddr* address, socklen_t* length) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::getsockname(fd, address, length);
    return call_for(fd, address, length, [](fc_command* c, uint32_t handle, uint64_t at, uint32_t bytes) {
        farcall_prep_getsockname(c, handle, 0, at, bytes);
    });
}

int farcall_aem_getpeername(int fd, sockaddr* address, socklen_t* length) {
    if (!FARCALL_AEM_IS_SOCKET(fd)) return ::getpeername(fd, address, length);
    return call_for(fd, address, length, [](fc_command* c, uint32_t handle, uint64_t at, uint32_t bytes) {
        farcall_prep_getpeername(c, handle, 0, at, bytes);
    });
}
