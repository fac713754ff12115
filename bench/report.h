// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/cores.h"
#include "bench/noise.h"
#include "bench/results.h"

namespace farcall::bench {

/// What a bench hands back.
struct Report {
    std::string name;  ///< of the bench
    Results results;
    Machine machine;
    Cores cores;
    uint32_t rounds = 0;
    double seconds = 0;
    std::vector<std::pair<std::string, uint64_t>> counters;  ///< of the whole run
    std::vector<std::pair<std::string, std::string>> facts;  ///< what else the figures depend on
    Disturbance disturbance;
    std::vector<std::string> warnings;  ///< sentences: what makes the figures less sure than they look
};

/// A table for people on standard output.
void print_report(const Report& report);

}  // namespace farcall::bench
