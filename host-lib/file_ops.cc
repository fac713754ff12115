// SPDX-License-Identifier: MIT
// OPEN, CLOSE, FSYNC, FTRUNCATE, FALLOCATE.
#include "host-lib/file_ops.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/operands.h"
#include "host-lib/share.h"
#include "host-lib/socket.h"
#include "host-lib/transfer_job.h"

namespace farcall {
namespace {

constexpr int kMostBlocksHere = 2048;  ///< of 512 bytes: giving back more memory takes too long for a worker

class OpenJob final : public FileJob {
  public:
    OpenJob(std::shared_ptr<File> dir, std::string path, uint32_t flags, uint32_t mode)
        : dir_(std::move(dir)), path_(std::move(path)), flags_(flags), mode_(mode) {}
    /// True when it is done, or can be done, without waiting.
    bool fits_here() {
        if (dir_->in_memory) return !(flags_ & FC_OPEN_TRUNCATE);
        if (!dir_->local || flags_ & (FC_OPEN_CREATE | FC_OPEN_TRUNCATE)) return false;
        result_ = open_cached(*dir_, path_, flags_, &file_);
        done_ = result_ != -EAGAIN;
        return done_;
    }
    void block() override {
        if (!done_) result_ = open_below(*dir_, path_, flags_, mode_, &file_);
    }
    int64_t complete(Client& client) override {
        if (result_ < 0) return result_;
        const int64_t handle = client.handles().add(file_);
        if (handle < 0) drop_elsewhere(client.worker(), std::move(file_));
        return handle;
    }

  private:
    std::shared_ptr<File> dir_;
    std::string path_;
    uint32_t flags_;
    uint32_t mode_;
    std::shared_ptr<File> file_;
    bool done_ = false;
};

/// May closing the last descriptor take long? Beside files on a device: in memory, a large file without a
/// name, or one that has to be unmapped.
bool close_may_block(const File& file) {
    if (!file.in_memory || (file.windows != nullptr && file.windows->listed)) return true;
    struct stat st;
    return fstat(file.fd, &st) < 0 || (st.st_nlink == 0 && st.st_blocks > kMostBlocksHere);
}

/// The same for cutting off what is behind `size`.
bool truncate_may_block(const File& file, uint64_t size) {
    if (!file.in_memory) return true;
    struct stat st;
    return fstat(file.fd, &st) < 0 ||
           (size < static_cast<uint64_t>(st.st_size) && st.st_blocks > kMostBlocksHere);
}

template <class Call>
int64_t restarted(Call call) {
    int result;
    do {
        result = call();
    } while (result < 0 && errno == EINTR);
    return result_of(result);
}

}  // namespace

int64_t op_open(Client& client, Task& task, const Operands& operands) {
    std::shared_ptr<File> dir = client.handles().share<File>(operands.handle);
    if (dir == nullptr) return -EBADF;
    if (dir->kind != File::Kind::kDirectory && !dir->is_share) return -ENOTDIR;
    if (operands.offset > 0777) return -EINVAL;  // no set-user-ID files on the host
    std::string path;
    if (int err = read_path(client, task, operands, &path)) return err;
    auto job = std::make_unique<OpenJob>(std::move(dir), std::move(path), task.cmd.op_flags,
                                         static_cast<uint32_t>(operands.offset));
    const bool here = job->fits_here();
    return start_job(client, task, std::move(job), here);
}

int64_t op_close(Client& client, Task& task, const Operands& operands) {
    if (operands.handle < FC_FIRST_HANDLE) {
        return client.handles().find(operands.handle) == nullptr ? -EBADF : -EPERM;
    }
    if (Socket* socket = client.handles().get<Socket>(operands.handle)) abandon(*socket);
    const File* file = client.handles().get<File>(operands.handle);
    const bool here = file == nullptr || !close_may_block(*file);
    std::shared_ptr<HostObject> object = client.handles().remove(operands.handle);
    if (object == nullptr) return -EBADF;
    if (here) return 0;
    return start_step(client, task, false, [object = std::move(object)](std::string&) { return 0; });
}

int64_t op_fsync(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_FSYNC_DATA) return -EINVAL;
    std::shared_ptr<File> file = client.handles().share<File>(operands.handle);
    if (file == nullptr) return -EBADF;
    if (file->kind == File::Kind::kStream) return -EINVAL;
    const bool here = file->in_memory;
    const bool data_only = task.cmd.op_flags & FC_FSYNC_DATA;
    return start_job(client, task, std::make_unique<SyncJob>(std::move(file), data_only), here);
}

int64_t op_ftruncate(Client& client, Task& task, const Operands& operands) {
    std::shared_ptr<File> file = client.handles().share<File>(operands.handle);
    if (file == nullptr) return -EBADF;
    if (file->kind != File::Kind::kRegular || operands.offset > INT64_MAX) return -EINVAL;
    if (!file->writable) return -EINVAL;  // as Linux says it
    const bool here = !truncate_may_block(*file, operands.offset);
    const auto size = static_cast<off_t>(operands.offset);
    return start_step(client, task, here, [file = std::move(file), size](std::string&) {
        return restarted([&] { return ftruncate(file->fd, size); });
    });
}

int64_t op_fallocate(Client& client, Task& task, const Operands& operands) {
    const int mode = task.cmd.op_flags;
    if (mode & ~static_cast<int>(FC_FALLOCATE_KEEP_SIZE | FC_FALLOCATE_PUNCH_HOLE | FC_FALLOCATE_ZERO_RANGE))
        return -EINVAL;
    static_assert(FC_FALLOCATE_KEEP_SIZE == FALLOC_FL_KEEP_SIZE &&
                  FC_FALLOCATE_PUNCH_HOLE == FALLOC_FL_PUNCH_HOLE &&
                  FC_FALLOCATE_ZERO_RANGE == FALLOC_FL_ZERO_RANGE);
    std::shared_ptr<File> file = client.handles().share<File>(operands.handle);
    if (file == nullptr) return -EBADF;
    if (file->kind == File::Kind::kStream) return -ESPIPE;
    if (operands.offset > INT64_MAX || operands.buffer > INT64_MAX) return -EINVAL;
    const bool here = file->in_memory && operands.buffer <= kInlineBytes;
    const auto offset = static_cast<off_t>(operands.offset), bytes = static_cast<off_t>(operands.buffer);
    return start_step(client, task, here, [file = std::move(file), mode, offset, bytes](std::string&) {
        return restarted([&] { return fallocate(file->fd, mode, offset, bytes); });
    });
}

}  // namespace farcall
