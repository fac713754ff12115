// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/payload/run.h"
#include "bench/results.h"

namespace farcall::bench {

/// What the clocks of a client (time-stamp counter, perhaps a guest's own) and of the host (CLOCK_MONOTONIC)
/// have to do with each other, found from what both saw of the same commands: none is picked up before it was
/// posted, and no event seen before it was complete. Each command bounds the offset from both sides; the
/// quickest ones are the tightest. The truth is taken to lie in the middle, as if the quickest way there took
/// as long as the quickest way back; uncertainty_ns() says how wrong that can be.
class ClockRelation {
  public:
    /// All of them from one stretch of time in which the counter's rate is known well enough: some
    /// milliseconds.
    ClockRelation(double ticks_per_ns, std::span<const bench_timed> samples);

    /// False: the bounds contradict each other (a clock was set, or moved to another core), or there were no
    /// samples.
    bool known() const { return low_ <= high_; }
    double uncertainty_ns() const { return (high_ - low_) / 2; }
    /// From the moment of `ticks` to the host's `ns`.
    double since(uint64_t ticks, uint64_t ns) const;

  private:
    /// As if both clocks had read 0 at the first sample's two moments: small enough for doubles.
    double apart(uint64_t ticks, uint64_t ns) const;

    double ticks_per_ns_;
    uint64_t first_ticks_ = 0;
    uint64_t first_ns_ = 0;
    double low_ = 1;
    double high_ = 0;
};

/// The parts of the time of one command, in ns.
struct TimedParts {
    double to_pick_up;  ///< posted → picked up: the cache line's way, or doorbell and wake-up
    double to_start;    ///< picked up → started: looked at, waits
    double to_complete;
    double to_see;  ///< completed → seen: the event's way back
};
TimedParts parts_of(const bench_timed& timed, const ClockRelation& relation);

/// The parts of many commands of one kind.
class TimedSplit {
  public:
    /// Those of one stretch of time; nothing while the relation is not known.
    void add(std::span<const bench_timed> samples, const ClockRelation& relation);
    bool empty() const { return see_.empty(); }
    /// Their medians.
    Split split(std::string name) const;

  private:
    std::vector<double> pick_up_, start_, complete_, see_;
};

}  // namespace farcall::bench
