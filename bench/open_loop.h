// SPDX-License-Identifier: MIT
// Latency under an offered load: operations begin when a schedule says so, whether or not those before have
// ended, and their time counts from that moment. A client that waits for each answer before it asks again
// would leave out just the operations that a stall holds up (coordinated omission).
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "bench/host_client.h"

namespace farcall::bench {

/// When each of `count` operations begins, in ticks: `per_second` of them on average, at random as
/// independent clients would (exponential gaps); the same for the same seed.
inline std::vector<uint64_t> make_schedule(uint32_t count, double per_second, double ticks_per_ns,
                                           uint32_t seed) {
    std::mt19937 random(seed);
    std::exponential_distribution<double> gap(per_second);
    std::vector<uint64_t> schedule;
    schedule.reserve(count);
    double at = 0;
    for (uint32_t i = 0; i < count; i++) {
        at += gap(random);
        schedule.push_back(static_cast<uint64_t>(at * 1e9 * ticks_per_ns));
    }
    return schedule;
}

/// Runs them. System: post(n) begins n operations, never more than `depth` are under way; reap() returns how
/// many have ended, in the order in which they began. Clock: now(), in ticks. Returns for each operation the
/// ticks from its moment in the schedule to its end.
template <typename System, typename Clock>
std::vector<uint32_t> run_open_loop(System& system, Clock& clock, const std::vector<uint64_t>& schedule,
                                    uint32_t depth) {
    std::vector<uint32_t> samples;
    samples.reserve(schedule.size());
    const uint64_t start = clock.now();
    size_t begun = 0;
    while (samples.size() < schedule.size()) {
        const uint64_t now = clock.now() - start;
        uint32_t due = 0;
        while (begun + due < schedule.size() && schedule[begun + due] <= now &&
               begun + due - samples.size() < depth)
            due++;
        if (due != 0) system.post(due);
        begun += due;
        const uint32_t ended = system.reap();
        if (ended == 0) continue;
        const uint64_t seen = clock.now() - start;
        for (uint32_t i = 0; i < ended; i++)
            samples.push_back(bench_sample(seen - schedule[samples.size()]));
    }
    return samples;
}

}  // namespace farcall::bench
