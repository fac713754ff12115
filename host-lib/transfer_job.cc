// SPDX-License-Identifier: MIT
#include "host-lib/transfer_job.h"

#include <liburing.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr uint64_t kAsyncBytes = 64 << 10;  ///< longer copies would hold up the worker that submits them

}  // namespace

int64_t OnFileJob::complete(Client& client) {
    // Others that hold the file now, its handle or jobs, will let go of it later than this.
    if (file_ != nullptr && file_.use_count() == 1 && !file_->in_memory)
        drop_elsewhere(client.worker(), std::move(file_));
    return result_;
}

TransferJob::TransferJob(std::shared_ptr<File> file, Transfer transfer, std::vector<iovec> pieces,
                         int64_t before, int cancel_fd)
    : OnFileJob(std::move(file)),
      transfer_(transfer),
      pieces_(std::move(pieces)),
      moved_(before),
      cancel_fd_(cancel_fd) {
    for (const iovec& piece : pieces_)
        left_ += piece.iov_len;
}

// Bytes that were moved before an error hide it: it shows at the next call.
void TransferJob::finish(int64_t result) {
    if (result > 0) moved_ += result;
    result_ = result < 0 && moved_ == 0 ? result : moved_;
}

void TransferJob::block() {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    const bool stream = file_->kind == File::Kind::kStream;
    finish(stream ? transfer_.stream(*file_, pieces_, cancel_fd_) : transfer_.all(*file_, pieces_));
    file_.reset();  // if it was closed meanwhile, the close happens here and not on the worker
}

// Not the file's own position: io_uring takes no lock on it, so that two transfers could use the same.
bool TransferJob::prepare(io_uring_sqe& sqe) {
    if (file_->kind == File::Kind::kStream || transfer_.offset < 0) return false;
    const auto count = static_cast<unsigned>(std::min<size_t>(pieces_.size() - first_, IOV_MAX));
    const auto offset = static_cast<uint64_t>(transfer_.offset);
    if (transfer_.write) {
        io_uring_prep_writev(&sqe, file_->fd, &pieces_[first_], count, offset);
    } else {
        io_uring_prep_readv(&sqe, file_->fd, &pieces_[first_], count, offset);
    }
    if (left_ > kAsyncBytes) sqe.flags |= IOSQE_ASYNC;
    return true;
}

Job::Next TransferJob::stepped(int32_t result) {
    if (result == -EINTR) return Next::kStep;
    // A file system that io_uring can only use with a thread, and does not.
    if (result == -EAGAIN || result == -EOPNOTSUPP) return Next::kBlock;
    finish(result);
    if (result <= 0) return Next::kDone;
    advance(pieces_, &first_, static_cast<uint64_t>(result));
    transfer_.offset += result;
    left_ -= static_cast<uint64_t>(result);
    return left_ == 0 ? Next::kDone : Next::kStep;
}

SyncJob::SyncJob(std::shared_ptr<File> file, bool data_only)
    : OnFileJob(std::move(file)), data_only_(data_only) {}

void SyncJob::block() {
    result_ = (data_only_ ? fdatasync(file_->fd) : fsync(file_->fd)) < 0 ? -errno : 0;
    file_.reset();
}

bool SyncJob::prepare(io_uring_sqe& sqe) {
    io_uring_prep_fsync(&sqe, file_->fd, data_only_ ? IORING_FSYNC_DATASYNC : 0);
    return true;
}

Job::Next SyncJob::stepped(int32_t result) {
    if (result == -EINTR) return Next::kStep;
    result_ = result;
    return Next::kDone;
}

}  // namespace farcall
