// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "bench/results.h"
#include "host-lib/timer_queue.h"

namespace farcall::bench {

/// What it costs to put a worker's timer off (out of the queue and in again) while so many others are armed:
/// the worker's timer queue by itself, on the calling thread.
class TimerBench {
  public:
    explicit TimerBench(Results& results);

    void round();
    void add_ratios();

  private:
    struct Crowd {
        uint32_t count = 0;
        TimerQueue queue;
        std::vector<TimerQueue::Handle> handles;
    };
    uint64_t somewhen() { return 1000000 + random_() % 60000000000; }

    Results& results_;
    std::mt19937_64 random_{1};
    std::deque<Crowd> crowds_;
};

}  // namespace farcall::bench
