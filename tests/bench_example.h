// SPDX-License-Identifier: MIT
// A run that has everything that a report can show, and names and texts as a hostile record would have them.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "bench/report.h"

namespace farcall::test {

/// Every character that means something in markup, and what would run or load if it came through.
constexpr const char* kHostile =
    "</title></style><script>alert(1)</script><img src=x onerror='alert(2)'>\"&amp;]]><!-- \xe2\x80\xae";

class Example {
  public:
    bench::Report report() {
        bench::Report report{.name = "example", .results = std::move(results_)};
        report.machine = {.cpu = "A processor with rather a long name, 2 x 64 cores", .cores = 4};
        report.rounds = kRounds;
        report.seconds = 12.3456;
        report.facts = {
            {"file_system", "ext4"}, {"said_by_somebody", kHostile}, {"unbroken", std::string(150, 'u')}};
        report.warnings = {"The load average was 9.5: others used the cores.", kHostile};
        return report;
    }

    Example() {
        singles();
        by_number();
        splits();
        ratios();
        results_.skip("vmexit_" + std::string(120, 'x'), "no /dev/kvm");
        results_.skip("other", kHostile);
        results_.finish();
    }

  private:
    static constexpr uint32_t kRounds = 8;

    /// Around `ns`, with a long tail.
    void add(const std::string& name, double ns, double spread = 0.2, uint32_t in_flight = 1) {
        std::lognormal_distribution<double> any(std::log(ns), spread);
        for (uint32_t round = 0; round < kRounds; round++) {
            std::vector<uint32_t> samples(300);
            for (uint32_t& sample : samples)
                sample = static_cast<uint32_t>(std::clamp(std::round(any(random_)), 1.0, 4e9));
            results_.add(name, std::move(samples), 1, in_flight);
        }
    }

    void singles() {
        add("always_the_same", 250, 0);
        add("two_nanoseconds", 2);
        add("some_seconds", 3e9, 0.05);
        add(kHostile, 1000);
        add(std::string(160, 'w'), 1000);
        add("a_very_long_name_" + std::string(100, 'n'), 1e6, 2);
        for (const char* name : {"ping", "pong", "mail"})
            add(name, 120);
    }

    void by_number() {
        for (const uint32_t n : {1, 8, 32, 128}) {
            add("read_4k_in_flight_" + std::to_string(n), 1000.0 / n + 100, 0.2, n);
            add("calls_read_4k_in_flight_" + std::to_string(n), 700, 0.2, n);
            add("io_uring_fixed_read_4k_sequential_in_flight_" + std::to_string(n), 1100.0 / n + 300, 0.5, n);
        }
        // Their labels have no room beside each other.
        for (const uint32_t n : {0, 1, 2, 3, 5, 1000, 1024, 65535, 65536, 999999999})
            add("timers_among_" + std::to_string(n), 50 + 30 * std::log(n + 1.0));
        // More than there are colours.
        for (uint32_t i = 0; i < 10; i++)
            for (const uint32_t n : {2, 1024})
                add("way" + std::string(1, static_cast<char>('a' + i)) + "_" + std::to_string(n),
                    5000.0 + n + 300 * i);
        add("alone_7", 5);
    }

    void splits() {
        results_.add_split({"ring_nop", {{"written", 40}, {"picked up", 200}, {"read", 30}}, {{"exits", 0}}});
        bench::Split many{"chain", {}, {{"exits", 2.5}, {"interrupts", 1}, {kHostile, 0.001}}};
        for (uint32_t i = 0; i < 12; i++)
            many.parts.push_back({"step " + std::to_string(i), std::pow(3.0, i)});
        many.parts.push_back({kHostile, 1});
        results_.add_split(many);
        results_.add_split({"nothing", {{"no time", 0}}, {}});
        results_.add_split({"counted_1", {}, {{"exits", 2.5}, {kHostile, 1e6}}});
        results_.add_split({"counted_2", {}, {{"exits", 0}, {kHostile, 0.001}}});
        results_.add_split({"counted_otherwise", {}, {{"interrupts", 3}}});
    }

    void ratios() {
        for (const char* number : {"1", "8", "32", "128"}) {
            const std::string ours = std::string("read_4k_in_flight_") + number;
            results_.add_ratio("calls_" + ours, ours, ">= 1.1");
            results_.add_ratio(std::string("io_uring_fixed_read_4k_sequential_in_flight_") + number, ours,
                               "");
        }
        for (const char other : std::string("bcdefghij"))
            results_.add_ratio(std::string("way") + other + "_2", "waya_2",
                               "near 1, as all of them do the same");
        results_.add_ratio("some_seconds", "two_nanoseconds", kHostile);
        results_.add_ratio_value("slowest : fastest", 0.81, "near 1");
    }

    std::mt19937 random_{1};
    bench::Results results_{1};
};

}  // namespace farcall::test
