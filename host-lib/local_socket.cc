// SPDX-License-Identifier: MIT
#include "host-lib/local_socket.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include "host-lib/error.h"

namespace farcall {

namespace {

constexpr int kMaxFds = 4;
constexpr int kBacklog = 64;

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        throw Error("the socket path " + path + " must have 1 to " +
                    std::to_string(sizeof(address.sun_path) - 1) + " bytes");
    }
    path.copy(address.sun_path, path.size());
    return address;
}

/// Held while a stale socket is replaced, so that of two servers that start at once one loses.
UniqueFd lock_directory_of(const std::string& path) {
    auto directory = std::filesystem::path(path).parent_path();
    if (directory.empty()) directory = ".";
    UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw errno_error("can't open the socket's directory " + directory.string());
    for (int attempt = 0; ::flock(fd.get(), LOCK_EX | LOCK_NB) < 0; attempt++) {
        if (attempt == 100) throw errno_error("can't lock the socket's directory " + directory.string());
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return fd;
}

/// Removes the socket file of a server that is gone; throws if it is in use or something else.
void remove_stale(const std::string& path, const sockaddr_un& address, int type) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) < 0) {
        if (errno == ENOENT) return;
        throw errno_error("can't look at " + path);
    }
    if (!S_ISSOCK(status.st_mode)) throw Error(path + " exists and is not a socket");
    UniqueFd probe(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) throw errno_error("can't create a socket");
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
        errno != ECONNREFUSED) {
        throw Error("another server is listening on " + path);
    }
    if (::unlink(path.c_str()) < 0 && errno != ENOENT)
        throw errno_error("can't remove the stale socket " + path);
}

}  // namespace

ListeningSocket::ListeningSocket(const std::string& path, mode_t mode, int type) : path_(path) {
    const sockaddr_un address = address_of(path);
    const UniqueFd lock = lock_directory_of(path);
    remove_stale(path, address, type);
    socket_ = UniqueFd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) throw errno_error("can't create a socket");
    // A socket that does not listen yet refuses, and so looks stale: hence the lock until listen() has
    // returned.
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) {
        throw errno_error("can't bind the socket " + path);
    }
    struct stat status {};
    if (::chmod(path.c_str(), mode) < 0 || ::lstat(path.c_str(), &status) < 0 ||
        ::listen(socket_.get(), kBacklog) < 0) {
        const int error = errno;
        ::unlink(path.c_str());
        throw errno_error("can't listen on " + path, error);
    }
    device_ = status.st_dev;
    inode_ = status.st_ino;
}

ListeningSocket::~ListeningSocket() {
    struct stat status {};
    if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
        ::unlinkat(AT_FDCWD, path_.c_str(), 0);  // the call that the monitor's sandbox allows
    }
}

Received receive_message(int socket, LocalMessage& out) {
    // One byte more than a message, so that a longer one shows.
    char data[sizeof(fc_control) + 1];
    alignas(cmsghdr) char space[CMSG_SPACE(kMaxFds * sizeof(int))];
    iovec vector{data, sizeof(data)};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    const ssize_t got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return errno == EAGAIN || errno == EINTR ? Received::kNothing : Received::kEnd;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
            out.fds.emplace_back(fd);
        }
    }
    if (got == 0 && out.fds.empty()) return Received::kEnd;
    if (got != sizeof(fc_control) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return Received::kMalformed;
    std::memcpy(&out.control, data, sizeof(out.control));
    return Received::kMessage;
}

bool send_answer(int socket, const fc_control& answer, int fd) {
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    iovec vector{const_cast<fc_control*>(&answer), sizeof(answer)};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (fd >= 0) {
        message.msg_control = space;
        message.msg_controllen = sizeof(space);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(answer);
}

namespace {

/// Sealed against shrinking, and not on huge pages, whose pool can run dry under us.
bool memory_is_safe(int fd, uint64_t bytes) {
    const int seals = ::fcntl(fd, F_GET_SEALS);
    struct statfs file_system {};
    struct stat status {};
    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && ::fstatfs(fd, &file_system) == 0 &&
           file_system.f_type == TMPFS_MAGIC && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
           static_cast<uint64_t>(status.st_size) >= bytes;
}

}  // namespace

int ClientMapping::map(int fd, uint64_t bytes, bool writable, std::shared_ptr<std::atomic<uint64_t>> budget,
                       std::shared_ptr<ClientMapping>& out) {
    if (bytes == 0 || bytes % 4096 != 0 || bytes > 1ull << 62 || !memory_is_safe(fd, bytes)) return -EINVAL;
    // Only the server's thread takes from a budget; others give back.
    if (budget->load(std::memory_order_relaxed) < bytes) return -E2BIG;
    void* data = ::mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) return errno == ENOMEM ? -ENOMEM : -EINVAL;
    // Rings must not be shared with a child that the server process may fork.
    ::madvise(data, bytes, MADV_DONTFORK);
    budget->fetch_sub(bytes, std::memory_order_relaxed);
    out.reset(new ClientMapping);
    out->data_ = static_cast<std::byte*>(data);
    out->bytes_ = bytes;
    out->budget_ = std::move(budget);
    return 0;
}

ClientMapping::~ClientMapping() {
    ::munmap(data_, bytes_);
    budget_->fetch_add(bytes_, std::memory_order_relaxed);
}

}  // namespace farcall
