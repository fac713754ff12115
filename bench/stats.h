// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace farcall::bench {

/// The value below or at which `percent` (0..100) of the samples lie (nearest rank). Reorders the samples; 0
/// if empty.
uint32_t percentile(std::vector<uint32_t>& samples, double percent);

/// Middle value, or mean of the two middle ones; 0 if empty.
double median(std::vector<double> values);

double mean(const std::vector<uint32_t>& samples);

/// Ticks of the time-stamp counter in a nanosecond, measured against CLOCK_MONOTONIC for about 20 ms.
double measure_ticks_per_ns();

/// Ticks of one counter per nanosecond of another from readings at two moments; used by
/// measure_ticks_per_ns().
double tick_rate(uint64_t ticks_before, uint64_t ticks_after, uint64_t ns_before, uint64_t ns_after);

}  // namespace farcall::bench
