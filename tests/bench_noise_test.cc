// SPDX-License-Identifier: MIT
// What a bench says of its machine, its clocks and how far it is, from readings whose truth is known.
#include "bench/noise.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "bench/clock_relation.h"
#include "bench/progress.h"

namespace farcall::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kStat =
    "cpu  300 0 100 900 50 5 5 40 0 0\n"
    "cpu0 100 10 50 400 20 3 2 15 7 0\n"
    "cpu1 200 0 50 500 30 2 3 25 0 0\n"
    "cpu10 1 1 1 1 1 1 1 1 1 1\n"
    "intr 5\n";

TEST(CoreTimes, OfTheCoreThatIsMeant) {
    const CoreTimes zero = parse_core_times(kStat, 0), one = parse_core_times(kStat, 1);
    EXPECT_EQ(zero.busy, 165u);
    EXPECT_EQ(zero.stolen, 15u);
    EXPECT_EQ(zero.all, 600u);
    EXPECT_EQ(one.busy, 255u);
    EXPECT_EQ(parse_core_times(kStat, 7).all, 0u);
    EXPECT_EQ(parse_core_times("cpu0 1 2", 0).busy, 3u) << "an older kernel's shorter line";
}

TEST(Disturbance, OthersAreWhatIsNotOurs) {
    const Disturbance half = disturbance({.busy = 150, .stolen = 10, .all = 200}, 50);
    EXPECT_DOUBLE_EQ(half.others, 0.5);
    EXPECT_DOUBLE_EQ(half.stolen, 0.05);
    EXPECT_EQ(disturbance({.busy = 99, .stolen = 0, .all = 200}, 100).others, 0) << "ticks are coarse";
    EXPECT_EQ(disturbance({}, 5).others, 0);
}

Series series(std::string name, std::vector<double> rounds) {
    Series out;
    out.name = std::move(name);
    out.rounds = std::move(rounds);
    return out;
}

TEST(Complaints, NoneOfAQuietMachine) {
    const std::vector<Series> steady{series("a", {100, 101, 99, 100, 100, 400})};
    EXPECT_THAT(complaints({.others = 0.04, .stolen = 0.005}, steady), IsEmpty());
}

TEST(Complaints, SayWhoAndHowMuch) {
    const std::vector<Series> mixed{series("steady", {100, 101, 99, 100}),
                                    series("shaky", {100, 150, 90, 200}), series("short", {1, 9})};
    EXPECT_THAT(complaints({.others = 0.31, .stolen = 0.02}, mixed),
                ElementsAre(HasSubstr("other processes used 31 %"), HasSubstr("host took 2 %"),
                            HasSubstr("1 of 3 series differ by more than 10 % from round to round: shaky")));
}

TEST(NoiseWatch, SeesAnotherProcessAndNotItself) {
    const auto busy_until = [](auto end) {
        while (std::chrono::steady_clock::now() < end)
            continue;
    };
    const auto now = [] { return std::chrono::steady_clock::now(); };
    const Cores cores = choose_cores({});
    // A grandchild whose parent is gone is nobody's child of ours.
    const NoiseWatch watch(cores);
    const auto end = now() + std::chrono::milliseconds(600);
    const pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            pin_thread(cores.worker);
            busy_until(end);
        }
        _exit(0);
    }
    pin_thread(cores.client);
    busy_until(end);
    const Disturbance seen = watch.so_far();
    waitpid(child, nullptr, 0);
    EXPECT_GT(seen.others, 0.15) << "one of two cores, perhaps shared with us";
    EXPECT_LT(seen.others, 0.95) << "ours is not others'";
}

/// Commands of a client whose clock reads `offset_ns` when the host's reads 0, at 2 ticks a nanosecond.
std::vector<bench_timed> commands(double offset_ns, double there, double back, uint32_t count) {
    std::mt19937 random(5);
    std::exponential_distribution<double> more(1.0 / 40);
    std::vector<bench_timed> out;
    double host = 7e15;  // some months after the start: beyond what a double keeps of ticks and ns
    for (uint32_t i = 0; i < count; i++) {
        const double way_there = there + more(random), way_back = back + more(random);
        bench_timed one{};
        one.posted = static_cast<uint64_t>((host + offset_ns) * 2);
        one.picked_up = static_cast<uint64_t>(host + way_there);
        one.started_after = 20;
        one.completed_after = 120;
        one.seen = static_cast<uint64_t>((host + way_there + 120 + way_back + offset_ns) * 2);
        out.push_back(one);
        host += 1000;
    }
    return out;
}

TEST(ClockRelation, FindsAGuestsClock) {
    for (const double offset : {0.0, -6.9e15, 1e12}) {
        const auto samples = commands(offset, 60, 60, 2000);
        const ClockRelation relation(2, samples);
        ASSERT_TRUE(relation.known());
        EXPECT_NEAR(relation.uncertainty_ns(), 60, 4);
        const TimedParts parts = parts_of(samples[7], relation);
        EXPECT_NEAR(parts.to_pick_up + parts.to_start + parts.to_complete + parts.to_see,
                    static_cast<double>(samples[7].seen - samples[7].posted) / 2, 0.6);
        EXPECT_GE(parts.to_pick_up, 55);
        EXPECT_GE(parts.to_see, 55);
        EXPECT_EQ(parts.to_start, 20);
        EXPECT_EQ(parts.to_complete, 100);
    }
}

TEST(ClockRelation, IsAsUncertainAsTheWaysAreUnlike) {
    const auto samples = commands(1e9, 20, 100, 2000);
    const ClockRelation relation(2, samples);
    ASSERT_TRUE(relation.known());
    EXPECT_NEAR(relation.uncertainty_ns(), 60, 4);
    EXPECT_NEAR(parts_of(samples[0], relation).to_start, 20, 0) << "the host's own parts need no relation";
}

TEST(ClockRelation, ContradictionsAreNoRelation) {
    auto samples = commands(0, 60, 60, 100);
    for (size_t i = 50; i < samples.size(); i++)
        samples[i].posted += 2'000'000, samples[i].seen += 2'000'000;  // the clock was set
    EXPECT_FALSE(ClockRelation(2, samples).known());
    EXPECT_FALSE(ClockRelation(2, {}).known());
}

TEST(Progress, EndsWithTheRoundsOrTheTime) {
    EXPECT_LT(seconds_left({.rounds_done = 0, .rounds = 60, .seconds_done = 3, .seconds = 45}), 0);
    EXPECT_DOUBLE_EQ(seconds_left({.rounds_done = 10, .rounds = 60, .seconds_done = 5, .seconds = 45}), 25);
    EXPECT_DOUBLE_EQ(seconds_left({.rounds_done = 10, .rounds = 60, .seconds_done = 20, .seconds = 45}), 25);
    EXPECT_DOUBLE_EQ(seconds_left({.rounds_done = 2, .rounds = 60, .seconds_done = 50, .seconds = 45}), 0);
}

TEST(Progress, FitsTheTerminal) {
    Results results(2);
    for (int round = 0; round < 6; round++)
        for (const char* name : {"first", "second", "third"})
            results.add(name, {200, 220, 240});
    const Way way{.rounds_done = 6, .rounds = 12, .seconds_done = 6, .seconds = 60};
    const std::string table = progress_table("some", way, results, 60, 24);
    EXPECT_THAT(table, HasSubstr("bench some: round 6 of 12, 6 s, 6 s left\n"));
    EXPECT_THAT(table, testing::ContainsRegex("second +110.0  110.0..110.0\n"));
    const std::string small = progress_table("some", way, results, 20, 4);
    EXPECT_EQ(std::count(small.begin(), small.end(), '\n'), 4);
    EXPECT_THAT(small, testing::Not(HasSubstr("first")));
    EXPECT_THAT(small, HasSubstr("third"));
    for (size_t begin = 0, end = 0; (end = small.find('\n', begin)) != small.npos; begin = end + 1)
        EXPECT_LE(end - begin, 20u);
    EXPECT_EQ(progress_table("some", way, results, 200, 1), "bench some: round 6 of 12, 6 s, 6 s left\n");
}

}  // namespace
}  // namespace farcall::bench
