// SPDX-License-Identifier: MIT
// How sure a figure is, from the rounds that it was measured in, in their order. Nothing is assumed of how
// they are distributed; where a round resembles the one before it (the machine drifts), it tells less, and
// the interval is wider.
#pragma once

#include <cstddef>
#include <vector>

namespace farcall::bench {

constexpr double kConfidence = 0.95;
constexpr size_t kLeastForInterval = 6;  ///< values: below, no interval of two of them is that sure

/// A figure, and between what its true value lies with kConfidence.
struct Interval {
    double value = 0;
    double low = 0;
    double high = 0;
    bool known = false;  ///< false: too few values; low and high are the smallest and the largest of them

    bool has(double other) const { return low <= other && other <= high; }
};

/// Which share of the values, in the order in which they were measured, would tell as much if they were
/// independent: (1 - c) / (1 + c) with the correlation c of neighbours' ranks, 1 where that is negative.
/// Never fewer than kLeastForInterval of them.
double independent_share(const std::vector<double>& values);

/// Their median, by order statistics. Without values: all 0.
Interval median_interval(std::vector<double> values);

/// Median of `over` divided by median of `under`, which are independent of each other: by bootstrap in
/// blocks, with the same random numbers each time. Values are above 0.
Interval ratio_interval(const std::vector<double>& over, const std::vector<double>& under);

}  // namespace farcall::bench
