// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "bench/interval.h"
#include "bench/record.h"

namespace farcall::bench {

enum class Verdict { kSame, kLower, kHigher, kTooFew };

/// One figure of two records.
struct Line {
    std::string name;
    double before = 0, after = 0;
    Interval change;  ///< after : before
    Verdict verdict = Verdict::kTooFew;
};

struct Comparison {
    std::vector<Line> ratios;  ///< between series of one run: what a machine's speed and drift do not change
    std::vector<Line> series;  ///< ns per operation
    std::vector<std::string> only_before, only_after;
    std::vector<std::string> differences;  ///< of the machines, where they matter for `series`
};

/// kLower, kHigher: the change is there with kConfidence; kSame: it was not shown.
Verdict judge(const Interval& change);

Comparison compare(const Record& before, const Record& after);

/// A table for people on standard output.
void print_comparison(const Record& before, const Record& after);

}  // namespace farcall::bench
