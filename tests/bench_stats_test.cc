// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "bench/results.h"
#include "bench/stats.h"

namespace farcall::bench {
namespace {

std::vector<uint32_t> one_to(uint32_t n) {
    std::vector<uint32_t> values(n);
    std::iota(values.begin(), values.end(), 1u);
    std::reverse(values.begin(), values.end());
    return values;
}

TEST(Percentile, NearestRank) {
    auto samples = one_to(100);
    EXPECT_EQ(percentile(samples, 50), 50u);
    EXPECT_EQ(percentile(samples, 99), 99u);
    EXPECT_EQ(percentile(samples, 99.5), 100u);
    EXPECT_EQ(percentile(samples, 100), 100u);
    EXPECT_EQ(percentile(samples, 0), 1u);
}

TEST(Percentile, FewSamples) {
    std::vector<uint32_t> none;
    EXPECT_EQ(percentile(none, 99), 0u);
    std::vector<uint32_t> one{7};
    EXPECT_EQ(percentile(one, 50), 7u);
    EXPECT_EQ(percentile(one, 99), 7u);
}

TEST(Median, OddEvenEmpty) {
    EXPECT_DOUBLE_EQ(median({3, 1, 2}), 2);
    EXPECT_DOUBLE_EQ(median({4, 1, 3, 2}), 2.5);
    EXPECT_DOUBLE_EQ(median({}), 0);
}

TEST(TickRate, FromTwoReadings) {
    EXPECT_DOUBLE_EQ(tick_rate(1000, 3600, 10, 1010), 2.6);
}

TEST(TickRate, MeasuredTwiceAgrees) {
    const double first = measure_ticks_per_ns();
    const double second = measure_ticks_per_ns();
    EXPECT_GT(first, 0.1);
    EXPECT_NEAR(first, second, first * 0.01);
}

// A counter in steps of 26: half of the operations take 100 ticks and half 104, yet most samples say 104.
TEST(TypicalTicks, FinerThanTheCounter) {
    std::vector<uint32_t> samples;
    for (uint32_t i = 0; i < 3200; i++) {
        const auto now = [](uint32_t n) { return n * 102 / 26 * 26; };
        samples.push_back(now(i + 1) - now(i));
    }
    EXPECT_NEAR(typical_ticks(samples), 102, 1);
    EXPECT_EQ(percentile(samples, 50), 104u);
}

TEST(TypicalTicks, APreemptionDoesNotCount) {
    std::vector<uint32_t> samples(3200, 100);
    samples[1000] = 10'000'000;
    EXPECT_DOUBLE_EQ(typical_ticks(samples), 100);
    EXPECT_DOUBLE_EQ(typical_ticks({5, 7, 900}), 7);
}

TEST(Results, FiguresArePerOperation) {
    Results results(2.0);
    results.add("chunked", {4000, 4000, 8000}, 10, 8);
    results.finish();
    const Series* series = results.find("chunked");
    ASSERT_NE(series, nullptr);
    EXPECT_DOUBLE_EQ(series->p50_ns, 200);
    EXPECT_DOUBLE_EQ(series->p99_ns, 400);
    EXPECT_DOUBLE_EQ(series->ops_per_s, 5e6);
    EXPECT_NEAR(series->ops_per_s_mean, 3.75e6, 1);
}

// One round on a disturbed machine must not decide: both sides of it are slow, so its ratio is as good as the
// others.
TEST(Results, RatioIsTakenInsideEachRound) {
    Results results(1.0);
    for (uint32_t slow : {1u, 10u, 1u}) {
        results.add("a", {300 * slow});
        results.add("b", {100 * slow});
    }
    results.finish();
    results.add_ratio("a", "b", "3");
    ASSERT_EQ(results.ratios().size(), 1u);
    EXPECT_EQ(results.ratios()[0].name, "a : b");
    EXPECT_DOUBLE_EQ(results.ratios()[0].value, 3);
}

TEST(Results, NoRatioWithASkippedSeries) {
    Results results(1.0);
    results.add("a", {1});
    results.skip("b", "not here");
    results.skip("b", "not here");
    results.add_ratio("a", "b", "");
    EXPECT_TRUE(results.ratios().empty());
    EXPECT_EQ(results.skipped().size(), 1u);
}

}  // namespace
}  // namespace farcall::bench
