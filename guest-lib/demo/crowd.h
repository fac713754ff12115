// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace farcall::demo {

/// Processes that compete for the processor with each other and with us, all on the first CPU that we may
/// use. They end when this goes out of scope, or when we die. Start them before opening a client: a child is
/// not to inherit it.
class Crowd {
  public:
    /// What they and we share.
    struct Board {
        std::atomic<uint32_t> ready;   ///< members that are where they want to be
        std::atomic<uint32_t> failed;  ///< members that ended by themselves
        std::atomic<uint32_t> phase;   ///< written by us
    };
    using Work = std::function<void(Board&)>;

    Crowd();
    Crowd(const Crowd&) = delete;
    Crowd& operator=(const Crowd&) = delete;
    ~Crowd();

    /// One more, which runs `work` in a process of its own. Work that returns or throws counts as failed.
    pid_t add(const Work& work);
    /// `count` that do nothing but use the processor.
    void add_hogs(uint64_t count);
    Board& board() { return *board_; }
    /// Until `count` members have said that they are ready; throws Failure when one fails, or after a minute.
    void wait_ready(uint32_t count);
    /// Sleeps, and throws Failure when a member has failed meanwhile.
    void run_for(std::chrono::milliseconds time);

  private:
    void check() const;
    [[noreturn]] void run(const Work& work, pid_t parent);
    Board* board_;
    std::vector<pid_t> pids_;
};

/// CPU time of a process so far, and what the scheduler was told about it.
uint64_t cpu_ns(pid_t pid);
struct Scheduling {
    int nice = 0;
    uint64_t slice_us = 0;  ///< 0 where the kernel has none
};
Scheduling scheduling_of(pid_t pid);

/// Uses that much CPU time of its own.
void work_for(std::chrono::nanoseconds time);

/// A sequence of numbers that looks random and is the same in each run.
class Sequence {
  public:
    explicit Sequence(uint64_t seed) : state_(seed * 2 + 1) {}
    uint64_t below(uint64_t end);

  private:
    uint64_t state_;
};

/// Sorted samples: the value below which `part` of them lie.
uint64_t quantile(const std::vector<uint64_t>& sorted, double part);

}  // namespace farcall::demo
