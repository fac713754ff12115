// SPDX-License-Identifier: MIT
#include "host-lib/unix_socket.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/file_job.h"
#include "host-lib/operands.h"
#include "host-lib/share.h"
#include "host-lib/socket.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr size_t kPieces = 1024;  ///< as many as sendmsg() takes

/// A step on a socket that needs a path looked up.
class UnixJob : public FileJob {
  public:
    UnixJob(std::shared_ptr<Socket> socket, std::shared_ptr<File> directory, std::string path)
        : socket_(std::move(socket)), directory_(std::move(directory)), path_(std::move(path)) {}
    void block() final { result_ = step(); }

  protected:
    virtual int64_t step() = 0;

    /// The address of the existing socket at the path; `keep` must live as long as it is used.
    int find_socket(SocketAddress* address, UniqueFd* keep) const {
        if (int err = find_below(*directory_, path_, true, keep)) return err;
        struct stat st;
        if (fstat(keep->get(), &st) < 0) return -errno;
        if (!S_ISSOCK(st.st_mode)) return -ECONNREFUSED;
        *address = make_unix_address(name_of(keep->get()));
        return 0;
    }

    std::shared_ptr<Socket> socket_;  // goes back to the worker with the job, which destroys it there
    std::shared_ptr<File> directory_;
    std::string path_;
};

class UnixBind final : public UnixJob {
  public:
    using UnixJob::UnixJob;
    int64_t complete(Client&) override {
        if (result_ == 0) {
            socket_->bound = true;
            socket_->path = path_;
        }
        return result_;
    }

  protected:
    int64_t step() override {
        Place place;
        if (int err = find_place(*directory_, path_, &place)) return err;
        if (place.name == "." || place.name == "..") return -EADDRINUSE;
        if (place.name.ends_with('/')) return -ENOENT;
        const std::string full = name_of(place.parent) + "/" + place.name;
        if (full.size() >= sizeof(sockaddr_un::sun_path)) return -ENAMETOOLONG;
        const SocketAddress address = make_unix_address(full);
        return result_of(::bind(socket_->fd.get(), address.get(), address.length));
    }
};

class UnixConnect final : public UnixJob {
  public:
    using UnixJob::UnixJob;
    int64_t complete(Client&) override {
        if (result_ == 0) socket_->peer_path = path_;
        return result_;
    }

  protected:
    int64_t step() override {
        SocketAddress address;
        UniqueFd keep;
        if (int err = find_socket(&address, &keep)) return err;
        return result_of(::connect(socket_->fd.get(), address.get(), address.length));
    }
};

class UnixSend final : public UnixJob {
  public:
    UnixSend(std::shared_ptr<Socket> socket, std::shared_ptr<File> directory, std::string path,
             MemorySpans memory, int flags)
        : UnixJob(std::move(socket), std::move(directory), std::move(path)),
          memory_(std::move(memory)),
          flags_(flags) {
        memory_.pin_by(*this);
    }

  protected:
    int64_t step() override {
        SocketAddress address;
        UniqueFd keep;
        if (int err = find_socket(&address, &keep)) return err;
        std::array<iovec, kPieces> pieces;
        uint64_t covered = 0;
        msghdr message{};
        message.msg_name = address.get();
        message.msg_namelen = address.length;
        message.msg_iov = pieces.data();
        message.msg_iovlen = memory_.slice(0, memory_.bytes(), pieces, &covered);
        if (covered < memory_.bytes()) return -EMSGSIZE;
        const ssize_t sent = ::sendmsg(socket_->fd.get(), &message, flags_ | MSG_DONTWAIT | MSG_NOSIGNAL);
        return result_of(sent);
    }

  private:
    MemorySpans memory_;
    int flags_;
};

/// What all three need, or -errno.
int find_parts(Client& client, const Operands& operands, const SocketAddress& address,
               std::shared_ptr<Socket>* socket, std::shared_ptr<File>* directory, std::string* path) {
    if (address.family() != AF_UNIX) return -EINVAL;
    if (!client.domain().net.unix_sockets()) return -EPERM;
    *path = address.unix_path();
    if (path->empty()) return -EPERM;  // abstract names and automatic ones are seen by the whole host
    if (operands.offset > UINT32_MAX) return -EBADF;
    *directory = client.handles().share<File>(operands.offset);
    if (*directory == nullptr) return -EBADF;
    if ((*directory)->kind != File::Kind::kDirectory) return -ENOTDIR;
    *socket = client.handles().share<Socket>(operands.handle);
    return 0;
}

}  // namespace

int64_t unix_bind(Client& client, Task& task, const Operands& operands, const SocketAddress& address) {
    std::shared_ptr<Socket> socket;
    std::shared_ptr<File> directory;
    std::string path;
    if (int err = find_parts(client, operands, address, &socket, &directory, &path)) return err;
    if (!directory->writable_tree) return -EROFS;
    return client.run_elsewhere(
        task, std::make_unique<UnixBind>(std::move(socket), std::move(directory), std::move(path)),
        client.worker().pool());
}

int64_t unix_connect(Client& client, Task& task, const Operands& operands, const SocketAddress& address) {
    std::shared_ptr<Socket> socket;
    std::shared_ptr<File> directory;
    std::string path;
    if (int err = find_parts(client, operands, address, &socket, &directory, &path)) return err;
    return client.run_elsewhere(
        task, std::make_unique<UnixConnect>(std::move(socket), std::move(directory), std::move(path)),
        client.worker().pool());
}

int64_t unix_send_to(Client& client, Task& task, const Operands& operands, const SocketAddress& address,
                     MemorySpans memory, int flags) {
    std::shared_ptr<Socket> socket;
    std::shared_ptr<File> directory;
    std::string path;
    if (int err = find_parts(client, operands, address, &socket, &directory, &path)) return err;
    auto job = std::make_unique<UnixSend>(std::move(socket), std::move(directory), std::move(path),
                                          std::move(memory), flags);
    return client.run_elsewhere(task, std::move(job), client.worker().pool());
}

}  // namespace farcall
