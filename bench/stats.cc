// SPDX-License-Identifier: MIT
#include "bench/stats.h"

#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>

namespace farcall::bench {
namespace {

struct Reading {
    uint64_t ticks;
    uint64_t ns;
};

/// Both clocks at one moment: of several tries, the one in which the least time passed between the two
/// readings of the counter, so that an interruption in between does not count.
Reading read_clocks() {
    Reading best{};
    uint64_t best_gap = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        const uint64_t before = __rdtsc();
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        const uint64_t after = __rdtsc();
        if (after - before >= best_gap) continue;
        best_gap = after - before;
        best = {before + best_gap / 2,
                static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count())};
    }
    return best;
}

}  // namespace

uint32_t percentile(std::vector<uint32_t>& samples, double percent) {
    if (samples.empty()) return 0;
    const double rank = std::ceil(percent / 100 * static_cast<double>(samples.size()));
    const auto index = static_cast<size_t>(std::clamp(rank, 1.0, static_cast<double>(samples.size()))) - 1;
    std::nth_element(samples.begin(), samples.begin() + static_cast<ptrdiff_t>(index), samples.end());
    return samples[index];
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const size_t middle = values.size() / 2;
    return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double mean(const std::vector<uint32_t>& samples) {
    if (samples.empty()) return 0;
    return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

double tick_rate(uint64_t ticks_before, uint64_t ticks_after, uint64_t ns_before, uint64_t ns_after) {
    return static_cast<double>(ticks_after - ticks_before) / static_cast<double>(ns_after - ns_before);
}

double measure_ticks_per_ns() {
    const Reading before = read_clocks();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const Reading after = read_clocks();
    return tick_rate(before.ticks, after.ticks, before.ns, after.ns);
}

}  // namespace farcall::bench
