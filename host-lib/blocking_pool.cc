// SPDX-License-Identifier: MIT
#include "host-lib/blocking_pool.h"

#include <sys/resource.h>
#include <unistd.h>

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
    waiting_.fetch_add(1, std::memory_order_relaxed);
    queue_.push(job.release());
    jobs_.release();
}

namespace {

// A job runs for microseconds while a client waits for it. At the default weight, a kernel with EEVDF lets it
// wait for the next tick (4 ms) when every core is busy with a vCPU or a polling worker. Needs CAP_SYS_NICE;
// without it, so be it.
constexpr int kPoolNice = -10;

void favour_this_thread() {
    [[maybe_unused]] const int result = setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kPoolNice);
}

}  // namespace

void BlockingPool::run() {
    block_all_signals();
    favour_this_thread();
    for (;;) {
        jobs_.acquire();
        Job* job = nullptr;
        if (!queue_.pop(job)) {
            if (stop_) return;
            continue;
        }
        waiting_.fetch_sub(1, std::memory_order_relaxed);
        job->block();
        Worker* home = job->home;
        home->post(std::unique_ptr<Message>(job));
    }
}

}  // namespace farcall
