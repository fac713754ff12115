// SPDX-License-Identifier: MIT
#include "guest-lib/src/control_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace farcall::client {

int ControlSocket::connect(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const size_t length = std::strlen(path);
    if (length == 0 || length >= sizeof(address.sun_path)) return -EINVAL;
    std::memcpy(address.sun_path, path, length);
    socket_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (socket_.get() < 0) return -errno;
    if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) return -errno;
    return 0;
}

namespace {

void attach(msghdr& message, char* space, size_t bytes, int fd) {
    message.msg_control = space;
    message.msg_controllen = bytes;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

void take(msghdr& message, Fd& out) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
        out.reset(fd);
    }
}

}  // namespace

int ControlSocket::exchange(fc_control& control, int fd, Fd& answer_fd) {
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    iovec data{&control, sizeof(control)};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (fd >= 0) attach(message, space, sizeof(space), fd);
    ssize_t done = 0;
    do {
        done = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    } while (done < 0 && errno == EINTR);
    // A server that refuses this user says so in a message before it closes: read even if the send failed.
    if (done < 0 && errno != EPIPE) return -errno;

    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    do {
        done = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    } while (done < 0 && errno == EINTR);
    if (done <= 0) return -EPIPE;
    take(message, answer_fd);
    return done == sizeof(control) && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 ? 0 : -EPROTO;
}

int ControlSocket::request(fc_control& control, int fd, Fd* answer_fd) {
    Fd received;
    const uint32_t op = control.op;
    std::lock_guard guard(lock_);
    if (dead_) return -EPIPE;
    if (int rc = exchange(control, fd, received); rc < 0) {
        dead_ = true;
        return rc;
    }
    if (control.op != op || control.status > 0) {
        dead_ = true;
        return -EPROTO;
    }
    if (answer_fd != nullptr) *answer_fd = std::move(received);
    return control.status;
}

}  // namespace farcall::client
