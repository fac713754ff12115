// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <boost/lockfree/queue.hpp>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "host-lib/message.h"

namespace farcall {

/// A step that may block, and what its worker does with the outcome.
class Job : public Message {
  public:
    /// On a thread of the pool. Must not touch the client's state, only what the job owns or has pinned.
    virtual void block() = 0;
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

  private:
    void run();

    boost::lockfree::queue<Job*> queue_{256};
    std::counting_semaphore<> jobs_{0};
    std::atomic<bool> stop_{false};
    std::vector<std::jthread> threads_;
};

}  // namespace farcall
