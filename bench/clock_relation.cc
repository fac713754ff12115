// SPDX-License-Identifier: MIT
#include "bench/clock_relation.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "bench/stats.h"

namespace farcall::bench {

ClockRelation::ClockRelation(double ticks_per_ns, std::span<const bench_timed> samples)
    : ticks_per_ns_(ticks_per_ns) {
    if (samples.empty()) return;
    first_ticks_ = samples.front().posted;
    first_ns_ = samples.front().picked_up;
    low_ = std::numeric_limits<double>::lowest();
    high_ = std::numeric_limits<double>::max();
    for (const bench_timed& one : samples) {
        high_ = std::min(high_, apart(one.posted, one.picked_up));
        low_ = std::max(low_, apart(one.seen, one.picked_up + one.completed_after));
    }
}

double ClockRelation::apart(uint64_t ticks, uint64_t ns) const {
    return static_cast<double>(static_cast<int64_t>(ns - first_ns_)) -
           static_cast<double>(static_cast<int64_t>(ticks - first_ticks_)) / ticks_per_ns_;
}

double ClockRelation::since(uint64_t ticks, uint64_t ns) const {
    return apart(ticks, ns) - (low_ + high_) / 2;
}

TimedParts parts_of(const bench_timed& timed, const ClockRelation& relation) {
    const double started = timed.started_after;
    const double completed = timed.completed_after;
    return {.to_pick_up = relation.since(timed.posted, timed.picked_up),
            .to_start = started,
            .to_complete = completed - started,
            .to_see = -relation.since(timed.seen, timed.picked_up + timed.completed_after)};
}

void TimedSplit::add(std::span<const bench_timed> samples, const ClockRelation& relation) {
    if (!relation.known()) return;
    for (const bench_timed& one : samples) {
        const TimedParts parts = parts_of(one, relation);
        pick_up_.push_back(parts.to_pick_up);
        start_.push_back(parts.to_start);
        complete_.push_back(parts.to_complete);
        see_.push_back(parts.to_see);
    }
}

Split TimedSplit::split(std::string name) const {
    // A way that is shorter than the relation of the clocks is uncertain can come out below 0.
    const auto typical = [](const std::vector<double>& part) { return std::max(0.0, median(part)); };
    return {.name = std::move(name),
            .parts = {{"posted to picked up", typical(pick_up_)},
                      {"picked up to started", typical(start_)},
                      {"started to completed", typical(complete_)},
                      {"completed to seen", typical(see_)}},
            .per_operation = {}};
}

}  // namespace farcall::bench
