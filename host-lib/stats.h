// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace farcall {

/// A counter that one thread writes and any thread reads; no locked instruction on the writer's side.
class Counter {
  public:
    void add(uint64_t n = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    uint64_t get() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> value_{0};
};

/// Counters of one worker.
struct WorkerStats {
    Counter commands;
    Counter events;
    Counter errors;
    Counter interrupts;
    Counter sleeps;
    Counter poisoned;
    Counter pool_jobs;
    Counter uring_jobs;
};

}  // namespace farcall
