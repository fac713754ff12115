// SPDX-License-Identifier: MIT
#include "host-lib/blocking_pool.h"

#include "host-lib/signals.h"
#include "host-lib/worker.h"

namespace farcall {

BlockingPool::BlockingPool(unsigned threads) {
    for (unsigned i = 0; i < threads; i++)
        threads_.emplace_back([this] { run(); });
}

BlockingPool::~BlockingPool() {
    stop_ = true;
    jobs_.release(static_cast<ptrdiff_t>(threads_.size()));
}

void BlockingPool::post(std::unique_ptr<Job> job) {
    queue_.push(job.release());
    jobs_.release();
}

void BlockingPool::run() {
    block_all_signals();
    for (;;) {
        jobs_.acquire();
        Job* job = nullptr;
        if (!queue_.pop(job)) {
            if (stop_) return;
            continue;
        }
        job->block();
        Worker* home = job->home;
        home->post(std::unique_ptr<Message>(job));
    }
}

}  // namespace farcall
