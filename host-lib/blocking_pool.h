// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <boost/lockfree/queue.hpp>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "host-lib/message.h"

struct io_uring_sqe;

namespace farcall {

/// A step that may block, and what its worker does with the outcome. It runs in the pool, or, when it can be
/// said that way, as operations of the worker's io_uring; the outcome is the same.
class Job : public Message {
  public:
    /// On a thread of the pool: all of it, or what stepped() left. Must not touch the client's state, only
    /// what the job owns or has pinned.
    virtual void block() = 0;

    /// On the worker: says the next step as an io_uring operation (all of `sqe` but user_data; it is zero
    /// before). What it points to must stay until stepped(). False: it takes block().
    virtual bool prepare(io_uring_sqe&) { return false; }
    enum class Next { kDone, kStep, kBlock };
    /// On the worker: the operation ended with `result`, -errno if negative. kStep: prepare() the next one;
    /// kBlock: block() has to do the rest.
    virtual Next stepped(int32_t) { return Next::kBlock; }

    Worker* home = nullptr;  ///< gets the job back, as a message
};

/// Threads for what may sleep, so that a worker never does.
class BlockingPool {
  public:
    explicit BlockingPool(unsigned threads);
    /// Finishes the jobs that were posted; they still go back to their workers.
    ~BlockingPool();

    /// Any thread. Never blocks.
    void post(std::unique_ptr<Job> job);

    /// Any thread: there are jobs that no thread has taken up yet.
    bool waiting() const { return waiting_.load(std::memory_order_relaxed) != 0; }

  private:
    void run();

    boost::lockfree::queue<Job*> queue_{256};
    std::atomic<uint32_t> waiting_{0};
    std::counting_semaphore<> jobs_{0};
    std::atomic<bool> stop_{false};
    std::vector<std::jthread> threads_;
};

}  // namespace farcall
