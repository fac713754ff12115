// SPDX-License-Identifier: MIT
// COPY, SENDFILE: bytes that move on the host and never enter the client's memory.
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "host-lib/client.h"
#include "host-lib/file_ops.h"
#include "host-lib/operands.h"
#include "host-lib/socket.h"
#include "host-lib/socket_ops.h"
#include "host-lib/transfer.h"

namespace farcall {
namespace {

constexpr uint64_t kKernelStep = 64 << 20;  ///< a client that goes away waits for no more than one
constexpr uint64_t kBufferBytes = 256 << 10;

bool signalled(int fd) {
    pollfd p{fd, POLLIN, 0};
    return ::poll(&p, 1, 0) > 0;
}

/// An end of a copy: a file and the place in it; -1: its own position.
struct End {
    std::shared_ptr<File> file;
    int64_t offset = -1;

    loff_t* place() { return offset < 0 ? nullptr : &offset; }
};

struct Copy {
    End in, out;
    uint32_t length = 0;
    int cancel_fd = -1;
    uint64_t moved = 0;

    int64_t files();
    int64_t to_stream();

  private:
    int kernel_steps(bool* unable);
    template <class Write>
    int buffered_steps(Write write);
    int64_t outcome(int err) const { return moved > 0 ? static_cast<int64_t>(moved) : err; }
};

bool same_file(const File& a, const File& b) {
    struct stat x, y;
    return fstat(a.fd, &x) == 0 && fstat(b.fd, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/// Until all is copied, the file ends or an error. *unable: the kernel cannot copy between these two.
int Copy::kernel_steps(bool* unable) {
    while (moved < length) {
        if (signalled(cancel_fd)) return -ECANCELED;
        const size_t step = std::min(length - moved, kKernelStep);
        const ssize_t n = copy_file_range(in.file->fd, in.place(), out.file->fd, out.place(), step, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const int err = errno;
            *unable = err == EXDEV || err == EINVAL || err == EOPNOTSUPP || err == ENOSYS;
            return -err;
        }
        if (n == 0) {
            *unable = moved == 0;  // the end, or a file whose size the kernel does not know (procfs, FUSE)
            return 0;
        }
        moved += static_cast<uint64_t>(n);
    }
    return 0;
}

/// The same through memory of the host. `write` gets the bytes and returns how many it took, or -errno.
template <class Write>
int Copy::buffered_steps(Write write) {
    std::vector<char> buffer(std::min<uint64_t>(length - moved, kBufferBytes));
    while (moved < length) {
        if (signalled(cancel_fd)) return -ECANCELED;
        const uint64_t ahead = in.offset < 0 ? length : static_cast<uint64_t>(INT64_MAX - in.offset);
        iovec piece{buffer.data(), std::min({length - moved, buffer.size(), ahead})};
        const int64_t got = Transfer{false, in.offset}.once(*in.file, {&piece, 1}, 0);
        if (got <= 0) return static_cast<int>(got);
        piece.iov_len = static_cast<size_t>(got);
        const int64_t put = write(piece);
        const int64_t taken = std::max<int64_t>(put, 0);
        moved += static_cast<uint64_t>(taken);
        if (in.offset >= 0) {
            in.offset += taken;
        } else if (taken < got) {
            lseek(in.file->fd, taken - got, SEEK_CUR);  // what did not arrive was not read either
        }
        if (put < got) return static_cast<int>(std::min<int64_t>(put, 0));
    }
    return 0;
}

int64_t Copy::files() {
    bool unable = false;
    const int err = kernel_steps(&unable);
    // Within one file -EINVAL means that the ranges overlap; bytes through a buffer would not be a copy then.
    if (!unable || (err != 0 && same_file(*in.file, *out.file))) return outcome(err);
    return outcome(buffered_steps([this](const iovec& piece) {
        std::vector<iovec> pieces{piece};
        Transfer transfer{true, out.offset};
        const int64_t put = transfer.all(*out.file, pieces);
        out.offset = transfer.offset;
        return put;
    }));
}

int64_t Copy::to_stream() {
    return outcome(buffered_steps([this](const iovec& piece) {
        return Transfer{true, -1}.stream(*out.file, {&piece, 1}, cancel_fd);
    }));
}

int find_input(Client& client, const Task& task, const Operands& operands, Copy* copy) {
    copy->in.file = client.handles().share<File>(operands.handle);
    if (copy->in.file == nullptr) return -EBADF;
    if (copy->in.file->kind == File::Kind::kDirectory) return -EISDIR;
    if (copy->in.file->kind == File::Kind::kStream) return -EINVAL;
    if (!copy->in.file->readable) return -EBADF;
    copy->length = operands.length;
    copy->cancel_fd = client.cancel_fd(task);
    if (operands.length > FC_MAX_TRANSFER) return -EINVAL;
    return check_offset(*copy->in.file, operands.offset, &copy->in.offset);
}

/// What SENDFILE writes to beside sockets: a stream.
int find_sink(Client& client, uint64_t handle, Copy* copy) {
    copy->out.file = client.handles().share<File>(handle);
    if (copy->out.file == nullptr) return -EBADF;
    if (copy->out.file->kind != File::Kind::kStream) return -EINVAL;
    return copy->out.file->writable ? 0 : -EBADF;
}

}  // namespace

int64_t op_copy(Client& client, Task& task, const Operands& operands) {
    Copy copy;
    if (int err = find_input(client, task, operands, &copy)) return err;
    copy.out.file = client.handles().share<File>(operands.handle2);
    const File* out = copy.out.file.get();
    if (out == nullptr) return -EBADF;
    if (out->kind == File::Kind::kDirectory) return -EISDIR;
    if (out->kind == File::Kind::kStream) return -EINVAL;
    if (!out->writable) return -EBADF;
    if (int err = check_offset(*out, operands.buffer, &copy.out.offset)) return err;
    const bool here = copy.in.file->in_memory && out->in_memory && copy.length <= kInlineBytes;
    return start_step(client, task, here,
                      [copy = std::move(copy)](std::string&) mutable { return copy.files(); });
}

int64_t op_sendfile(Client& client, Task& task, const Operands& operands) {
    Copy copy;
    if (int err = find_input(client, task, operands, &copy)) return err;
    const bool socket = client.handles().get<Socket>(operands.handle2) != nullptr;
    if (int err = socket ? 0 : find_sink(client, operands.handle2, &copy)) return err;
    if (operands.buffer != FC_OFFSET_CURRENT) return -ESPIPE;
    if (socket) {
        return socket_sendfile(client, task, operands.handle2, std::move(copy.in.file), copy.in.offset,
                               operands.length);
    }
    BlockingPool& pool = pool_for(client, *copy.out.file);
    auto step = [copy = std::move(copy)](std::string&) mutable { return copy.to_stream(); };
    auto job = std::make_unique<StepJob<decltype(step)>>(std::move(step), Output{});
    return client.run_elsewhere(task, std::move(job), pool);
}

}  // namespace farcall
