// SPDX-License-Identifier: MIT
#pragma once

#include <liburing.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/results.h"

namespace farcall::bench {

/// io_uring nops from the calling thread, for comparison.
class Uring {
  public:
    enum class Mode { kEnter, kSqPoll };

    /// Empty when io_uring works here in this mode, else the reason why not, as one sentence.
    static std::string unavailable(Mode mode, int sqpoll_core);
    /// As results have it.
    static const char* name(Mode mode) { return mode == Mode::kEnter ? "io_uring_enter" : "io_uring_sqpoll"; }
    /// Those that work here; the others are skipped in the results, with the reason.
    static std::vector<Mode> usable(int sqpoll_core, Results& results);

    /// kSqPoll: the kernel's polling thread is pinned to `sqpoll_core`. Throws farcall::Error.
    Uring(Mode mode, int sqpoll_core);
    ~Uring();
    Uring(const Uring&) = delete;
    Uring& operator=(const Uring&) = delete;

    /// `count` nops with `depth` in flight: ticks for each `chunk` of them; `chunk` divides `count`.
    /// Throws farcall::Error when a nop or a submission fails.
    std::vector<uint32_t> nops(uint32_t count, uint32_t depth, uint32_t chunk);

    /// The same by steps: submits so many nops and waits until `wait_for` have ended.
    void submit(uint32_t commands, uint32_t wait_for);
    /// Takes those that have ended; their number.
    uint32_t reap();

  private:
    Mode mode_;
    io_uring ring_{};
};

}  // namespace farcall::bench
