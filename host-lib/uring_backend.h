// SPDX-License-Identifier: MIT
#pragma once

#include <liburing.h>

#include <cstdint>
#include <memory>
#include <string>

#include "host-lib/blocking_pool.h"

namespace farcall {

/// A worker's own io_uring: does jobs that can be said as single operations, without a thread of the pool.
///
/// io_uring is not subject to seccomp, so the ring is restricted by itself: it takes the operations of
/// uring_backend.cc and no others, registers nothing, and no system call can change that.
class UringBackend {
  public:
    /// Why a ring can't be had here, as one sentence; empty when it can. Tries it out with a ring that it
    /// throws away.
    static std::string unavailable();

    /// Makes the ring, disabled. Any thread, but before a system-call filter. Throws farcall::Error.
    UringBackend();
    ~UringBackend();
    UringBackend(const UringBackend&) = delete;
    UringBackend& operator=(const UringBackend&) = delete;

    // On the thread that owns the ring only: from start() on the kernel refuses submissions of others.

    /// Enables the ring for the calling thread. 0 or -errno.
    int start();

    /// Queues the job's next step and takes the job, unless it can't be said as an operation or the ring is
    /// full: then `job` is still there.
    bool take(std::unique_ptr<Job>& job);

    /// Hands what is queued to the kernel: one system call, none if nothing is queued.
    void submit();
    /// Something is queued that the kernel has not taken yet: the worker must not sleep.
    bool unsubmitted() const { return io_uring_sq_ready(&ring_) != 0; }

    /// Something was taken that has not ended yet.
    bool busy() const { return in_flight_ != 0; }
    /// Completes what is done: runs the jobs as messages of `worker`; what the kernel could not do this way
    /// goes to `pool`. Returns how many operations ended.
    size_t reap(Worker& worker, BlockingPool& pool);

    /// Readable when there is something to reap.
    int fd() const { return ring_.ring_fd; }

  private:
    void ended(std::unique_ptr<Job> job, int32_t result, Worker& worker, BlockingPool& pool);

    io_uring ring_{};
    uint32_t in_flight_ = 0;  ///< queued or with the kernel
};

}  // namespace farcall
