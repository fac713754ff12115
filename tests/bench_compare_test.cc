// SPDX-License-Identifier: MIT
// What the benches say about how sure they are, on samples whose truth is known; and records of any origin.
#include "bench/compare.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <numeric>
#include <random>

#include "bench/stats.h"
#include "tests/error_sentence.h"
#include "tests/test_client.h"

namespace farcall::bench {
namespace {

using test::sentence;
using testing::ElementsAre;
using testing::HasSubstr;

/// Skewed, as times are: most near 1, some far above. Its median is exp(location).
std::vector<double> skewed(std::mt19937& random, size_t n, double location) {
    std::lognormal_distribution<double> any(location, 0.3);
    std::vector<double> values(n);
    for (double& value : values)
        value = any(random);
    return values;
}

/// The same, but each resembles the one before it: a machine that drifts.
std::vector<double> drifting(std::mt19937& random, size_t n, double location) {
    constexpr double kCorrelation = 0.8;
    std::normal_distribution<double> any(0, 0.3);
    double at = any(random);
    std::vector<double> values(n);
    for (double& value : values) {
        value = std::exp(location + at);
        at = kCorrelation * at + std::sqrt(1 - kCorrelation * kCorrelation) * any(random);
    }
    return values;
}

/// 1, n, 2, n - 1, …: each as unlike its neighbours as can be.
std::vector<double> mixed(int n) {
    std::vector<double> values;
    for (int i = 1; i <= n; i++)
        values.push_back(i % 2 == 1 ? (i + 1) / 2.0 : n + 1 - i / 2.0);
    return values;
}

/// In how many repetitions `holds` does.
template <typename Holds>
int how_often(int repetitions, Holds holds) {
    std::mt19937 random(1);
    int count = 0;
    for (int i = 0; i < repetitions; i++)
        count += holds(random) ? 1 : 0;
    return count;
}

TEST(MedianInterval, RanksOfSmallSamples) {
    // From tables of the sign test: ranks 1 and 6 of 6, 2 and 9 of 10, 6 and 15 of 20.
    EXPECT_FALSE(median_interval({1, 2, 3, 4, 5}).known);
    const Interval six = median_interval({6, 1, 5, 2, 4, 3});
    EXPECT_TRUE(six.known);
    EXPECT_EQ(six.value, 3.5);
    EXPECT_EQ(six.low, 1);
    EXPECT_EQ(six.high, 6);
    EXPECT_EQ(median_interval(mixed(10)).low, 2);
    EXPECT_EQ(median_interval(mixed(10)).high, 9);
    EXPECT_EQ(median_interval(mixed(20)).low, 6);
    EXPECT_EQ(median_interval(mixed(20)).high, 15);
    EXPECT_EQ(median_interval({}).high, 0);
}

TEST(MedianInterval, HoldsTheTruthAsOftenAsItSays) {
    for (const size_t n : {6, 10, 30, 60})
        EXPECT_GE(
            how_often(1000,
                      [n](std::mt19937& random) { return median_interval(skewed(random, n, 0)).has(1); }),
            935)
            << n;
}

TEST(IndependentShare, KnownCorrelations) {
    EXPECT_EQ(independent_share(mixed(60)), 1);
    EXPECT_EQ(independent_share(std::vector<double>(60, 7.0)), 1);
    EXPECT_EQ(independent_share({1, 2}), 1);
    std::vector<double> rising(60);
    std::iota(rising.begin(), rising.end(), 1.0);
    EXPECT_DOUBLE_EQ(independent_share(rising), 0.1) << "worth the least number that has an interval";
    std::mt19937 random(3);
    EXPECT_NEAR(independent_share(drifting(random, 5000, 0)), 0.2 / 1.8, 0.03);
    EXPECT_GT(independent_share(skewed(random, 5000, 0)), 0.9);
}

TEST(MedianInterval, IsWiderWhereTheMachineDrifts) {
    // Taken for independent, these would hold the truth in some 600 of 1000.
    EXPECT_GE(
        how_often(1000, [](std::mt19937& random) { return median_interval(drifting(random, 60, 0)).has(1); }),
        880);
}

TEST(RatioInterval, DriftIsNoChange) {
    const int wrong = how_often(200, [](std::mt19937& random) {
        return judge(ratio_interval(drifting(random, 60, 0), drifting(random, 60, 0))) != Verdict::kSame;
    });
    EXPECT_LE(wrong, 40);
}

TEST(MedianInterval, OfVeryMany) {
    std::mt19937 random(2);
    const Interval interval = median_interval(skewed(random, 20000, 0));
    EXPECT_TRUE(interval.has(1));
    EXPECT_LT(interval.high - interval.low, 0.1);
    EXPECT_GT(interval.high, interval.low);
}

TEST(RatioInterval, SaysNothingWhereNothingChanged) {
    const int wrong = how_often(200, [](std::mt19937& random) {
        return judge(ratio_interval(skewed(random, 30, 0), skewed(random, 30, 0))) != Verdict::kSame;
    });
    EXPECT_LE(wrong, 20);
}

TEST(RatioInterval, SeesAChange) {
    const auto verdicts = [](double change, Verdict wanted) {
        return how_often(200, [&](std::mt19937& random) {
            return judge(ratio_interval(skewed(random, 30, change), skewed(random, 30, 0))) == wanted;
        });
    };
    EXPECT_GE(verdicts(0.5, Verdict::kHigher), 190);
    EXPECT_GE(verdicts(-0.5, Verdict::kLower), 190);
    EXPECT_EQ(verdicts(0.5, Verdict::kLower), 0);
}

TEST(RatioInterval, TooFewRoundsAreNoVerdict) {
    EXPECT_EQ(judge(ratio_interval({9, 9, 9, 9, 9}, {1, 1, 1, 1, 1, 1})), Verdict::kTooFew);
    EXPECT_EQ(judge(ratio_interval({}, {1})), Verdict::kTooFew);
    EXPECT_EQ(judge(ratio_interval({9, 9, 9, 9, 9, 9}, {1, 1, 1, 1, 1, 1})), Verdict::kHigher);
}

class Records : public testing::Test {
  protected:
    std::string file(const std::string& text) {
        const std::string path = dir_.path() / std::to_string(files_++);
        std::ofstream(path) << text;
        return path;
    }
    std::string record(const std::string& results, const std::string& ratios = "") {
        return file(R"({"schema":3,"machine":{"cpu":"x","cores":2},"results":[)" + results +
                    R"(],"ratio_rounds":{)" + ratios + "}}");
    }
    test::TempDir dir_;
    int files_ = 0;
};

TEST_F(Records, WrittenAndReadAgain) {
    Report report{.results = Results(1), .machine = {.cpu = "some", .cores = 4}};
    for (uint32_t round = 1; round <= 7; round++) {
        report.results.add("a", {10 * round, 10 * round, 10 * round});
        report.results.add("b", {5 * round, 5 * round, 5 * round});
    }
    report.results.add_ratio("a", "b", "2");
    report.results.add_ratio_value("alone", 3, "");
    report.results.finish();
    const std::string path = dir_.path() / "written";
    write_json(report, path);
    const Record record = read_record(path);
    EXPECT_EQ(record.machine.at("cpu"), "some");
    EXPECT_EQ(record.machine.at("cores"), "4");
    EXPECT_THAT(record.series.at("a"), ElementsAre(10, 20, 30, 40, 50, 60, 70));
    EXPECT_THAT(record.ratios.at("a : b"), ElementsAre(2, 2, 2, 2, 2, 2, 2));
    EXPECT_THAT(record.names, ElementsAre("a", "b", "a : b"));
    const Comparison same = compare(record, record);
    ASSERT_EQ(same.series.size(), 2u);
    EXPECT_EQ(same.series[0].verdict, Verdict::kSame);
    EXPECT_EQ(same.series[0].before, 40);
    EXPECT_TRUE(same.differences.empty());
}

TEST_F(Records, WhatIsNotInBoth) {
    const Record before = read_record(record(R"({"name":"a","rounds_ns":[1]},{"name":"b","rounds_ns":[1]})"));
    const Record after = read_record(record(R"({"name":"a","rounds_ns":[2]})", R"("a : c":[1,2])"));
    const Comparison result = compare(before, after);
    EXPECT_THAT(result.only_before, ElementsAre("b"));
    EXPECT_THAT(result.only_after, ElementsAre("a : c"));
    ASSERT_EQ(result.series.size(), 1u);
    EXPECT_EQ(result.series[0].change.value, 2);
    EXPECT_EQ(result.series[0].verdict, Verdict::kTooFew);
}

TEST_F(Records, OtherMachinesAreNamed) {
    Record before = read_record(record(""));
    Record after = before;
    after.machine["cpu"] = "y";
    after.machine["load_average"] = "3";
    EXPECT_THAT(compare(before, after).differences, ElementsAre("cpu: x and y"));
}

TEST_F(Records, BrokenOnesAreRefusedByName) {
    const auto refused = [&](const std::string& path) { return sentence([&] { read_record(path); }); };
    EXPECT_THAT(refused("/nonexistent"), HasSubstr("/nonexistent"));
    EXPECT_THAT(refused(file("")), HasSubstr("is not the record of a bench"));
    EXPECT_THAT(refused(file("[]")), HasSubstr("is not the record of a bench"));
    EXPECT_THAT(refused(file("{}")), HasSubstr("schema 3"));
    EXPECT_THAT(refused(file(R"({"schema":3})")), HasSubstr("machine"));
    EXPECT_THAT(refused(record(R"({"name":"a"})")), HasSubstr("rounds_ns"));
    EXPECT_THAT(refused(record(R"({"name":"a","rounds_ns":"x"})")), HasSubstr("is not the record"));
    EXPECT_THAT(refused(record(R"({"name":"a","rounds_ns":[]})")), HasSubstr("'a' has no rounds"));
    EXPECT_THAT(refused(record(R"({"name":"a","rounds_ns":[0]})")), HasSubstr("'a' has a round of 0"));
    EXPECT_THAT(refused(record(R"({"name":"a","rounds_ns":[1e999]})")), HasSubstr("is not the record"));
    EXPECT_THAT(refused(record(R"({"name":"a","rounds_ns":[1]},{"name":"a","rounds_ns":[1]})")),
                HasSubstr("'a' is there twice"));
}

}  // namespace
}  // namespace farcall::bench
