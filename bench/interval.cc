// SPDX-License-Identifier: MIT
#include "bench/interval.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "bench/stats.h"

namespace farcall::bench {
namespace {

constexpr int kResamples = 2000;
constexpr uint32_t kSeed = 20261122;

/// How many values may lie outside on each side: the largest rank k at which the median is below the kth
/// smallest with a probability of at most half of what confidence leaves. The number of values below the
/// median is binomial (n, 1/2).
size_t rank_outside(size_t n) {
    const double most = (1 - kConfidence) / 2;
    double probability = 1;  // of exactly 0 values below
    for (size_t i = 0; i < n; i++)
        probability /= 2;
    size_t rank = 0;
    for (double sum = probability; sum <= most && rank < n / 2; sum += probability) {
        rank++;
        probability *= static_cast<double>(n - rank + 1) / static_cast<double>(rank);
    }
    return rank;
}

/// The values' places in their order: correlation of these does not mind a few values that are far off.
std::vector<double> ranks_of(const std::vector<double>& values) {
    std::vector<size_t> order(values.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
    std::vector<double> ranks(values.size());
    for (size_t first = 0, end = 0; first < order.size(); first = end) {
        while (end < order.size() && values[order[end]] == values[order[first]])
            end++;
        for (size_t i = first; i < end; i++)  // equal values, equal ranks: clocks advance in steps
            ranks[order[i]] = static_cast<double>(first + end - 1) / 2;
    }
    return ranks;
}

/// As many independent values as these are worth tell as much as one block of this length does.
size_t block_of(const std::vector<double>& values) {
    return static_cast<size_t>(std::ceil(1 / independent_share(values)));
}

/// Blocks of neighbours are drawn together, so that what drifts does so in what is drawn, too.
double resampled_median(const std::vector<double>& values, size_t block, std::mt19937& random) {
    std::uniform_int_distribution<size_t> any(0, values.size() - 1);
    std::vector<double> drawn;
    drawn.reserve(values.size());
    while (drawn.size() < values.size()) {
        const size_t first = any(random);
        for (size_t i = 0; i < block && drawn.size() < values.size(); i++)
            drawn.push_back(values[(first + i) % values.size()]);
    }
    return median(std::move(drawn));
}

}  // namespace

double independent_share(const std::vector<double>& values) {
    if (values.size() < kLeastForInterval) return 1;
    const std::vector<double> ranks = ranks_of(values);
    const double middle = static_cast<double>(values.size() - 1) / 2;
    double neighbours = 0, all = 0;
    for (size_t i = 0; i < ranks.size(); i++) {
        all += (ranks[i] - middle) * (ranks[i] - middle);
        if (i != 0) neighbours += (ranks[i] - middle) * (ranks[i - 1] - middle);
    }
    if (all == 0) return 1;
    const double correlation = std::max(0.0, neighbours / all);
    const double least = static_cast<double>(kLeastForInterval) / static_cast<double>(values.size());
    return std::max(least, (1 - correlation) / (1 + correlation));
}

Interval median_interval(std::vector<double> values) {
    if (values.empty()) return {};
    const double share = independent_share(values);
    std::sort(values.begin(), values.end());
    Interval result{median(values), values.front(), values.back(), values.size() >= kLeastForInterval};
    // 2^-n is no number for many more values; the share that lies outside grows with n, so that of fewer is
    // safe.
    constexpr size_t kMostExact = 1000;
    const auto worth = static_cast<size_t>(static_cast<double>(values.size()) * share + 1e-9);
    const size_t exact = std::clamp(worth, size_t{1}, kMostExact);
    const size_t rank = rank_outside(exact) * values.size() / exact;
    if (!result.known || rank == 0) return result;
    result.low = values[rank - 1];
    result.high = values[values.size() - rank];
    return result;
}

Interval ratio_interval(const std::vector<double>& over, const std::vector<double>& under) {
    if (over.empty() || under.empty()) return {};
    const double value = median(over) / median(under);
    Interval result{value, value, value,
                    over.size() >= kLeastForInterval && under.size() >= kLeastForInterval};
    const size_t over_block = block_of(over), under_block = block_of(under);
    std::mt19937 random(kSeed);
    std::vector<double> ratios(kResamples);
    for (double& ratio : ratios)
        ratio = resampled_median(over, over_block, random) / resampled_median(under, under_block, random);
    std::sort(ratios.begin(), ratios.end());
    const auto outside = static_cast<size_t>((1 - kConfidence) / 2 * kResamples);
    result.low = std::min(value, ratios[outside]);
    result.high = std::max(value, ratios[kResamples - 1 - outside]);
    return result;
}

}  // namespace farcall::bench
