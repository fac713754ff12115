// SPDX-License-Identifier: MIT
#include "host-lib/file_ops.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/share.h"
#include "host-lib/transfer.h"
#include "host-lib/worker.h"

namespace farcall {

void FileJob::attach(Client& client, uint32_t node) {
    client_ = &client;
    node_ = node;
    home = &client.worker();
}

void FileJob::run(Worker& worker) {
    Client& client = *client_;
    client.job_back(node_, complete(client));
    pins_.clear();  // before the client, and its regions with it, may go
    worker.reap(client);
}

namespace {

constexpr uint32_t kInlineBytes = 64 << 10;  ///< longer transfers would hold up the worker's other channels
constexpr size_t kInlinePieces = 64;

class OpenJob final : public FileJob {
  public:
    OpenJob(std::shared_ptr<File> dir, std::string path, uint32_t flags, uint32_t mode)
        : dir_(std::move(dir)), path_(std::move(path)), flags_(flags), mode_(mode) {}
    void block() override { result_ = open_below(*dir_, path_, flags_, mode_, &file_); }
    int64_t complete(Client& client) override {
        return result_ < 0 ? result_ : client.handles().add(std::move(file_));
    }

  private:
    std::shared_ptr<File> dir_;
    std::string path_;
    uint32_t flags_;
    uint32_t mode_;
    std::shared_ptr<File> file_;
};

class TransferJob final : public FileJob {
  public:
    TransferJob(std::shared_ptr<File> file, Transfer transfer, std::vector<iovec> pieces, int64_t before,
                int cancel_fd)
        : file_(std::move(file)),
          transfer_(transfer),
          pieces_(std::move(pieces)),
          before_(before),
          cancel_fd_(cancel_fd) {}
    void block() override {
        const bool stream = file_->kind == File::Kind::kStream;
        const int64_t n =
            stream ? transfer_.stream(*file_, pieces_, cancel_fd_) : transfer_.all(*file_, pieces_);
        result_ = n < 0 ? (before_ > 0 ? before_ : n) : before_ + n;
        file_.reset();  // if it was closed meanwhile, the close happens here and not on the worker
    }

  private:
    std::shared_ptr<File> file_;
    Transfer transfer_;
    std::vector<iovec> pieces_;
    int64_t before_;  ///< bytes that the worker moved already
    int cancel_fd_;
};

class CloseJob final : public FileJob {
  public:
    explicit CloseJob(std::shared_ptr<HostObject> object) : object_(std::move(object)) {}
    void block() override { object_.reset(); }

  private:
    std::shared_ptr<HostObject> object_;
};

int64_t sync_file(const File& file, bool data_only) {
    return (data_only ? fdatasync(file.fd) : fsync(file.fd)) < 0 ? -errno : 0;
}

class SyncJob final : public FileJob {
  public:
    SyncJob(std::shared_ptr<File> file, bool data_only) : file_(std::move(file)), data_only_(data_only) {}
    void block() override {
        result_ = sync_file(*file_, data_only_);
        file_.reset();
    }

  private:
    std::shared_ptr<File> file_;
    bool data_only_;
};

int64_t nanoseconds(const timespec& time) {
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

int64_t stat_file(const File& file, fc_stat* out) {
    struct stat st;
    if (fstat(file.fd, &st) < 0) return -errno;
    *out = {};
    out->size = static_cast<uint64_t>(st.st_size);
    out->inode = st.st_ino;
    out->device = st.st_dev;
    out->mode = st.st_mode;
    out->links = static_cast<uint32_t>(st.st_nlink);
    out->uid = st.st_uid;
    out->gid = st.st_gid;
    out->blocks = static_cast<uint64_t>(st.st_blocks);
    out->block_size = static_cast<uint64_t>(st.st_blksize);
    out->atime_ns = nanoseconds(st.st_atim);
    out->mtime_ns = nanoseconds(st.st_mtim);
    out->ctime_ns = nanoseconds(st.st_ctim);
    return 0;
}

class StatJob final : public FileJob {
  public:
    StatJob(std::shared_ptr<File> file, const Region& region, uint64_t at)
        : file_(std::move(file)), region_(region), at_(at) {}
    void block() override {
        result_ = stat_file(*file_, &stat_);
        file_.reset();
    }
    int64_t complete(Client&) override {
        if (result_ == 0) region_.copy_in(at_, &stat_, sizeof(stat_));
        return result_;
    }

  private:
    std::shared_ptr<File> file_;
    const Region& region_;  // pinned while the job is out
    uint64_t at_;
    fc_stat stat_{};
};

BlockingPool& pool_for(Client& client, const File& file) {
    return file.kind == File::Kind::kStream ? *client.domain().pumps[file.stream] : client.worker().pool();
}

/// The region and range that a command names, or an error.
int find_memory(Client& client, const Task& task, const Operands& operands, bool host_writes, Region** out) {
    Region* region = client.regions().find(task.cmd.region);
    if (region == nullptr) return -EIDRM;
    if (!region->contains(operands.buffer, operands.length)) return -EFAULT;
    if (host_writes && !region->writable()) return -EACCES;
    *out = region;
    return 0;
}

int check_offset(const File& file, uint64_t offset, int64_t* out) {
    *out = -1;
    if (offset == FC_OFFSET_CURRENT) return 0;
    if (file.kind == File::Kind::kStream) return -ESPIPE;
    if (offset > INT64_MAX) return -EINVAL;
    *out = static_cast<int64_t>(offset);
    return 0;
}

/// Moves what can be moved without blocking. Returns the final result, or kPending: the rest, from *moved on,
/// has to go to the pool.
int64_t transfer_now(File& file, const Region& region, Transfer transfer, const Operands& operands,
                     uint64_t* moved) {
    const bool positioned = transfer.offset >= 0;
    if (operands.length > kInlineBytes || (!file.in_memory && (file.nowait_refused || !positioned)))
        return kPending;
    while (*moved < operands.length) {
        iovec pieces[kInlinePieces];
        uint64_t covered;
        const size_t count =
            region.slice(operands.buffer + *moved, operands.length - *moved, pieces, &covered);
        const int64_t n = transfer.once(file, {pieces, count}, file.in_memory ? 0 : RWF_NOWAIT);
        if (n == -EOPNOTSUPP && !file.in_memory) file.nowait_refused = true;
        if (n == -EAGAIN || n == -EOPNOTSUPP) return kPending;
        if (n < 0 && *moved == 0) return n;
        if (n <= 0) break;  // the end of the file; an error after some bytes shows at the next call
        *moved += static_cast<uint64_t>(n);
        if (positioned) transfer.offset += n;
    }
    return static_cast<int64_t>(*moved);
}

int64_t transfer_op(Client& client, Task& task, const Operands& operands, bool write) {
    File* file = client.handles().get<File>(operands.handle);
    if (file == nullptr) return -EBADF;
    if (file->kind == File::Kind::kDirectory) return -EISDIR;
    if (!(write ? file->writable : file->readable)) return -EBADF;
    if (operands.length > FC_MAX_TRANSFER) return -EINVAL;
    Region* region = nullptr;
    if (int err = find_memory(client, task, operands, !write, &region)) return err;
    Transfer transfer{write, -1};
    if (int err = check_offset(*file, operands.offset, &transfer.offset)) return err;
    if (operands.length == 0) return 0;

    uint64_t moved = 0;
    if (file->kind != File::Kind::kStream) {
        const int64_t result = transfer_now(*file, *region, transfer, operands, &moved);
        if (result != kPending) return result;
    }
    std::vector<iovec> pieces;
    uint64_t covered = 0;
    while (moved + covered < operands.length) {
        std::array<iovec, kInlinePieces> some;
        uint64_t bytes;
        const uint64_t done = moved + covered;
        const size_t count = region->slice(operands.buffer + done, operands.length - done, some, &bytes);
        pieces.insert(pieces.end(), some.begin(), some.begin() + count);
        covered += bytes;
    }
    if (transfer.offset >= 0) transfer.offset += static_cast<int64_t>(moved);
    auto job =
        std::make_unique<TransferJob>(client.handles().share<File>(operands.handle), transfer,
                                      std::move(pieces), static_cast<int64_t>(moved), client.cancel_fd());
    job->pin(*region);
    return client.run_elsewhere(task, std::move(job), pool_for(client, *file));
}

}  // namespace

int64_t op_open(Client& client, Task& task, const Operands& operands) {
    std::shared_ptr<File> dir = client.handles().share<File>(operands.handle);
    if (dir == nullptr) return -EBADF;
    if (dir->kind != File::Kind::kDirectory) return -ENOTDIR;
    if (operands.offset > 0777) return -EINVAL;  // no set-user-ID files on the host
    if (operands.length == 0) return -ENOENT;
    if (operands.length >= FC_MAX_PATH) return -ENAMETOOLONG;
    Region* region = nullptr;
    if (int err = find_memory(client, task, operands, false, &region)) return err;
    std::string path(operands.length, '\0');
    region->copy_out(operands.buffer, path.data(), path.size());
    if (path.find('\0') != std::string::npos) return -EINVAL;
    auto job = std::make_unique<OpenJob>(std::move(dir), std::move(path), task.cmd.op_flags,
                                         static_cast<uint32_t>(operands.offset));
    return client.run_elsewhere(task, std::move(job), client.worker().pool());
}

int64_t op_close(Client& client, Task& task, const Operands& operands) {
    if (operands.handle < FC_FIRST_HANDLE) {
        return client.handles().find(operands.handle) == nullptr ? -EBADF : -EPERM;
    }
    const File* file = client.handles().get<File>(operands.handle);
    const bool may_block = file != nullptr && !file->in_memory;
    std::shared_ptr<HostObject> object = client.handles().remove(operands.handle);
    if (object == nullptr) return -EBADF;
    if (!may_block) return 0;
    return client.run_elsewhere(task, std::make_unique<CloseJob>(std::move(object)), client.worker().pool());
}

int64_t op_read(Client& client, Task& task, const Operands& operands) {
    return transfer_op(client, task, operands, false);
}

int64_t op_write(Client& client, Task& task, const Operands& operands) {
    return transfer_op(client, task, operands, true);
}

int64_t op_fsync(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_FSYNC_DATA) return -EINVAL;
    std::shared_ptr<File> file = client.handles().share<File>(operands.handle);
    if (file == nullptr) return -EBADF;
    if (file->kind == File::Kind::kStream) return -EINVAL;
    const bool data_only = task.cmd.op_flags & FC_FSYNC_DATA;
    if (file->in_memory) return sync_file(*file, data_only);
    return client.run_elsewhere(task, std::make_unique<SyncJob>(std::move(file), data_only),
                                client.worker().pool());
}

int64_t op_stat(Client& client, Task& task, const Operands& operands) {
    const File* file = client.handles().get<File>(operands.handle);
    if (file == nullptr) return -EBADF;
    if (file->fd < 0) return -ENODEV;
    if (operands.length < sizeof(fc_stat)) return -EINVAL;
    Region* region = nullptr;
    if (int err = find_memory(client, task, operands, true, &region)) return err;
    if (!file->local && file->kind != File::Kind::kStream) {
        auto job = std::make_unique<StatJob>(client.handles().share<File>(operands.handle), *region,
                                             operands.buffer);
        job->pin(*region);
        return client.run_elsewhere(task, std::move(job), client.worker().pool());
    }
    fc_stat stat;
    const int64_t result = stat_file(*file, &stat);
    if (result == 0) region->copy_in(operands.buffer, &stat, sizeof(stat));
    return result;
}

}  // namespace farcall
