// SPDX-License-Identifier: MIT
// The arithmetic of event-priority weighting, as the module compiles it.
#include "guest-kmod/weight_math.h"

#include <gtest/gtest.h>

namespace {

constexpr int kBoost = 10, kPenalty = 5;  // the module's defaults

TEST(WeightMathTest, QuietSystemLeavesEverybodyAtNiceZero) {
    EXPECT_EQ(fc_weight_base(0, kPenalty), FC_WEIGHT_BASE_MAX);
    EXPECT_EQ(fc_weight_nice(fc_weight_of(fc_weight_base(0, kPenalty), 0, kBoost)), 0);
    EXPECT_EQ(fc_slice_of(fc_weight_base(0, kPenalty)), FC_SLICE_FULL_US);
    int32_t error = 0;
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(fc_weight_nice_average(FC_WEIGHT_BASE_MAX, &error), 0);
}

TEST(WeightMathTest, MorePriorityIsMoreWeightWhateverTheLoad) {
    for (uint32_t load = 0; load <= FC_LOAD_FULL; load += 97) {
        const uint32_t base = fc_weight_base(load, kPenalty);
        for (uint32_t priority = 1; priority <= FC_PRIORITY_MAX; priority += priority / 16 + 1) {
            const uint32_t less = fc_weight_of(base, priority - 1, kBoost);
            const uint32_t more = fc_weight_of(base, priority, kBoost);
            EXPECT_TRUE(more > less || less == fc_nice_weight(-kBoost)) << priority;
            EXPECT_LE(fc_weight_nice(more), fc_weight_nice(less));
            EXPECT_LE(fc_slice_of_handler(more), fc_slice_of_handler(less));
        }
    }
}

TEST(WeightMathTest, BoostAndPenaltyAreCapped) {
    for (int steps = 0; steps <= 19; steps++) {
        EXPECT_EQ(fc_weight_nice(fc_weight_of(FC_WEIGHT_BASE_MAX, FC_PRIORITY_MAX, steps)), -steps);
        EXPECT_EQ(fc_weight_nice(fc_weight_base(FC_LOAD_FULL, steps)), steps);
    }
    EXPECT_EQ(fc_weight_nice(fc_weight_of(FC_WEIGHT_BASE_MAX, FC_PRIORITY_MAX, 20)), -20);
}

TEST(WeightMathTest, NiceIsTheNearestAndStaysInRange) {
    EXPECT_EQ(fc_weight_nice(0), 19);
    EXPECT_EQ(fc_weight_nice(14), 19);
    EXPECT_EQ(fc_weight_nice(921), 1);
    EXPECT_EQ(fc_weight_nice(922), 0);
    EXPECT_EQ(fc_weight_nice(1024), 0);
    EXPECT_EQ(fc_weight_nice(1149), 0);
    EXPECT_EQ(fc_weight_nice(1150), -1);
    EXPECT_EQ(fc_weight_nice(88761), -20);
    EXPECT_EQ(fc_weight_nice(UINT32_MAX), -20);
}

TEST(WeightMathTest, NiceIntervalByIntervalIsTheWeightOnAverage) {
    constexpr int kIntervals = 400;
    for (uint32_t weight = fc_nice_weight(kPenalty); weight <= fc_nice_weight(-kBoost);
         weight += weight / 50 + 1) {
        int32_t error = 0;
        uint64_t sum = 0;
        for (int i = 0; i < kIntervals; i++) {
            const int nice = fc_weight_nice_average(weight, &error);
            EXPECT_LE(std::abs(nice - fc_weight_nice(weight)), 1) << weight;
            sum += fc_nice_weight(nice);
        }
        EXPECT_NEAR(static_cast<double>(sum) / kIntervals, weight, weight * 0.002) << weight;
    }
}

TEST(WeightMathTest, ErrorOfAnOldWeightIsSoonForgotten) {
    int32_t error = INT32_MAX / 2;
    fc_weight_nice_average(1024, &error);
    EXPECT_LE(std::abs(error), 256);
    error = INT32_MIN / 2;
    fc_weight_nice_average(1024, &error);
    EXPECT_LE(std::abs(error), 256);
}

TEST(WeightMathTest, StormTakesTheBaseAndGivesItBack) {
    uint32_t load = 0;
    uint32_t lowest = FC_WEIGHT_BASE_MAX;
    for (int interval = 0; interval < 100; interval++) {
        load = fc_load_update(load, fc_load_sample(100000, 1, 10000));
        EXPECT_LE(fc_weight_base(load, kPenalty), lowest);
        lowest = fc_weight_base(load, kPenalty);
    }
    EXPECT_EQ(load, FC_LOAD_FULL);
    EXPECT_EQ(lowest, fc_nice_weight(kPenalty));
    int intervals = 0;
    for (; load > 0; intervals++)
        load = fc_load_update(load, 0);
    EXPECT_EQ(fc_weight_base(load, kPenalty), FC_WEIGHT_BASE_MAX);
    EXPECT_LT(intervals, 100) << "a storm is forgotten within a second";
}

TEST(WeightMathTest, LoadIsPerProcessAndSlice) {
    EXPECT_EQ(fc_load_sample(1, 1, FC_SLICE_FULL_US), FC_LOAD_ONE);
    EXPECT_EQ(fc_load_sample(800, 100, 10000), fc_load_sample(8, 1, 10000));
    EXPECT_EQ(fc_load_sample(8, 1, 10000), fc_load_sample(16, 1, 20000));
    EXPECT_EQ(fc_load_sample(0, 0, 0), 0u);
    EXPECT_EQ(fc_load_sample(UINT32_MAX, 1, 1), FC_LOAD_FULL) << "no overflow";
    EXPECT_EQ(fc_load_update(FC_LOAD_ONE, FC_LOAD_ONE), FC_LOAD_ONE) << "steady";
}

TEST(WeightMathTest, UrgentRanksFollowTheWeightAndStayBelowTheKernelsOwn) {
    uint32_t last = 0;
    for (uint32_t weight = 0; weight < 100000; weight += 100) {
        EXPECT_GE(fc_urgent_rank(weight), last);
        last = fc_urgent_rank(weight);
        EXPECT_GE(last, 1u);
        EXPECT_LE(last, 20u);
    }
    EXPECT_EQ(fc_urgent_rank(fc_weight_of(FC_WEIGHT_BASE_MAX, 255, 10)), 10u);
}

TEST(WeightMathTest, UrgencyIsALoanThatTimePaysBack) {
    EXPECT_EQ(fc_urgent_pay(20'000'000, 10'000, 50, 1024, 1024), 15'000'000u) << "half of 10 ms";
    EXPECT_EQ(fc_urgent_pay(20'000'000, 10'000, 50, 1024, 4096), 18'750'000u) << "shared by weight";
    EXPECT_EQ(fc_urgent_pay(20'000'000, 10'000, 50, 1024, 0), 15'000'000u) << "nobody else is known yet";
    EXPECT_EQ(fc_urgent_pay(1'000, 10'000, 50, 1024, 1024), 0u);
    EXPECT_EQ(fc_urgent_pay(20'000'000, 10'000, 0, 1024, 1024), 20'000'000u) << "forbidden";
    constexpr uint32_t kHeaviest = 88761;
    EXPECT_EQ(fc_urgent_pay(UINT64_MAX, UINT64_MAX, 90, kHeaviest, kHeaviest * 1000ull),
              UINT64_MAX - 9'000'000)
        << "no overflow: ten seconds at most, a thousandth of them";
    EXPECT_EQ(fc_urgent_pay(20'000'000, UINT64_MAX, 90, 1024, 1024), 0u) << "no overflow";
}

TEST(WeightMathTest, WhoOwesMoreThanASliceWaitsUntilHalfIsPaid) {
    EXPECT_TRUE(fc_urgent_credit(FC_URGENT_DEBT_MAX_NS, true));
    EXPECT_FALSE(fc_urgent_credit(FC_URGENT_DEBT_MAX_NS + 1, true));
    EXPECT_FALSE(fc_urgent_credit(FC_URGENT_DEBT_MAX_NS / 2 + 1, false));
    EXPECT_TRUE(fc_urgent_credit(FC_URGENT_DEBT_MAX_NS / 2, false));
}

/// Who always wants the processor has it for `percent` of the time in the long run.
TEST(WeightMathTest, AGreedyThreadIsUrgentForItsShareOfTheTime) {
    constexpr uint32_t kPercent = 50;
    uint64_t debt = 0, urgent = 0;
    bool credit = true;
    constexpr int kTicks = 10'000;
    for (int tick = 0; tick < kTicks; tick++) {
        if (credit) debt += 10'000'000;
        urgent += credit;
        debt = fc_urgent_pay(debt, 10'000, kPercent, 2048, 2048);
        credit = fc_urgent_credit(debt, credit);
    }
    EXPECT_NEAR(static_cast<double>(urgent) / kTicks, kPercent / 100.0, 0.01);
}

TEST(WeightMathTest, PrioritySaturates) {
    EXPECT_EQ(fc_priority_add(1, 2), 3u);
    EXPECT_EQ(fc_priority_add(FC_PRIORITY_MAX - 1, 255), FC_PRIORITY_MAX);
    EXPECT_EQ(fc_priority_add(FC_PRIORITY_MAX, UINT32_MAX), FC_PRIORITY_MAX);
}

TEST(WeightMathTest, SliceOfTheFormulaIsCutAtTheLargestBase) {
    EXPECT_EQ(fc_slice_of(0), FC_SLICE_MIN_US);
    EXPECT_EQ(fc_slice_of(FC_WEIGHT_BASE_MAX / 2), FC_SLICE_FULL_US / 2);
    EXPECT_EQ(fc_slice_of(10 * FC_WEIGHT_BASE_MAX), FC_SLICE_FULL_US);
    EXPECT_EQ(fc_slice_of_handler(FC_WEIGHT_BASE_MAX), FC_SLICE_HANDLER_US);
    EXPECT_EQ(fc_slice_of_handler(UINT32_MAX), FC_SLICE_MIN_US);
    EXPECT_EQ(fc_slice_of_handler(0), FC_SLICE_HANDLER_US);
}

}  // namespace
