// SPDX-License-Identifier: MIT
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "host-lib/file_job.h"
#include "host-lib/handle_table.h"
#include "host-lib/transfer.h"

namespace farcall {

/// A job on one file. What it leaves of the file is let go of in the pool: if it was closed meanwhile, the
/// close may block.
class OnFileJob : public FileJob {
  public:
    explicit OnFileJob(std::shared_ptr<File> file) : file_(std::move(file)) {}

  protected:
    int64_t complete(Client& client) override;
    std::shared_ptr<File> file_;
};

/// A transfer that can't complete at once, or the rest of one.
class TransferJob final : public OnFileJob {
  public:
    /// `before`: bytes that the worker has moved already. `cancel_fd` ends a transfer of a stream.
    TransferJob(std::shared_ptr<File> file, Transfer transfer, std::vector<iovec> pieces, int64_t before,
                int cancel_fd);
    void block() override;
    bool prepare(io_uring_sqe& sqe) override;
    Next stepped(int32_t result) override;

  private:
    void finish(int64_t result);

    Transfer transfer_;
    std::vector<iovec> pieces_;  ///< what is left is from first_ on
    size_t first_ = 0;
    uint64_t left_ = 0;  ///< bytes
    int64_t moved_;
    int cancel_fd_;
};

/// fsync() or fdatasync().
class SyncJob final : public OnFileJob {
  public:
    SyncJob(std::shared_ptr<File> file, bool data_only);
    void block() override;
    bool prepare(io_uring_sqe& sqe) override;
    Next stepped(int32_t result) override;

  private:
    bool data_only_;
};

}  // namespace farcall
