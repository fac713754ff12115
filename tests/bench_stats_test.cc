// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <utility>

#include "bench/open_loop.h"
#include "bench/results.h"
#include "bench/sampling.h"
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

/// So many multiplications, each of which waits for the one before, also from one call to the next.
uint64_t work(uint32_t steps, uint64_t value) {
    for (uint32_t i = 0; i < steps; i++) {
        value *= 0x9e3779b97f4a7c15;
        __asm__ volatile("" : "+r"(value));
    }
    return value;
}

// The least of many tries: whoever else runs here can only add to one.
TEST(MeasuringLoop, AddsLessThan20NsOr2PerCent) {
    const double ticks_per_ns = measure_ticks_per_ns();
    for (const uint32_t steps : {100u, 1000u, 10'000u}) {
        const uint32_t count = 200'000 / steps;
        double plain = 1e18, measured = 1e18;
        for (int attempt = 0; attempt < 200; attempt++) {
            uint64_t value = 3;
            const uint64_t start = bench_ticks();
            for (uint32_t i = 0; i < count; i++)
                value = work(steps, value);
            plain = std::min(plain, static_cast<double>(bench_ticks() - start) / count / ticks_per_ns);
            const auto samples = sample_each(count, 1, [&](uint32_t) { value = work(steps, value); });
            measured = std::min(measured, mean(samples) / ticks_per_ns);
        }
        EXPECT_LT(measured - plain, std::max(20.0, plain * 0.02)) << plain << " ns of work";
        EXPECT_GT(measured, plain * 0.98) << "and leaves nothing out";
    }
}

TEST(Schedule, HasItsRateAndItsGaps) {
    const auto schedule = make_schedule(100'000, 1e6, 2, 7);
    ASSERT_EQ(schedule.size(), 100'000u);
    EXPECT_TRUE(std::is_sorted(schedule.begin(), schedule.end()));
    EXPECT_NEAR(static_cast<double>(schedule.back()), 2e8, 2e6)
        << "100,000 of them in 100 ms, of 2 ticks a ns";
    size_t sooner = 0;  // than the mean gap: 1 - 1/e of exponential ones
    for (size_t i = 1; i < schedule.size(); i++)
        sooner += schedule[i] - schedule[i - 1] < 2000 ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(sooner) / 1e5, 0.632, 0.01);
    EXPECT_EQ(schedule, make_schedule(100'000, 1e6, 2, 7));
    EXPECT_NE(schedule, make_schedule(100'000, 1e6, 2, 8));
}

/// Answers each operation 100 ticks after it began, one at a time, but stalls once. Its clock moves by 10
/// when it is looked at.
struct Server {
    uint64_t time = 1'000'000, free_at = 0, stall_at = 0, stall = 0;
    std::deque<uint64_t> ends;
    size_t most = 0;

    uint64_t now() { return time += 10; }
    void post(uint32_t count) {
        for (uint32_t i = 0; i < count; i++) {
            uint64_t begin = std::max(free_at, time);
            if (stall != 0 && begin >= stall_at) begin += std::exchange(stall, 0);
            ends.push_back(free_at = begin + 100);
        }
        most = std::max(most, ends.size());
    }
    uint32_t reap() {
        uint32_t count = 0;
        for (; !ends.empty() && ends.front() <= time; count++)
            ends.pop_front();
        return count;
    }
};

TEST(OpenLoop, CountsFromTheMomentThatTheScheduleSays) {
    std::vector<uint64_t> schedule;
    for (uint64_t i = 0; i < 1000; i++)
        schedule.push_back(i * 1000);
    Server quiet;
    for (const uint32_t sample : run_open_loop(quiet, quiet, schedule, 8))
        EXPECT_NEAR(sample, 110, 20);

    // A stall of 100,000 ticks holds up a hundred operations, not one.
    Server stalls{.stall_at = 1'500'000, .stall = 100'000};
    const auto samples = run_open_loop(stalls, stalls, schedule, 8);
    EXPECT_EQ(samples.size(), schedule.size());
    const auto late = std::count_if(samples.begin(), samples.end(), [](uint32_t s) { return s > 1000; });
    EXPECT_NEAR(static_cast<double>(late), 110, 5) << "those of the stall, and while it is made up for";
    EXPECT_NEAR(*std::max_element(samples.begin(), samples.end()), 100'100, 100);
    EXPECT_EQ(stalls.most, 8u) << "no more under way than there is room for";
}

}  // namespace
}  // namespace farcall::bench
