// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/cores.h"
#include "bench/results.h"

namespace farcall::bench {

/// What a bench hands back.
struct Report {
    Results results;
    Machine machine;
    Cores cores;
    uint32_t rounds = 0;
    double seconds = 0;
    std::vector<std::pair<std::string, uint64_t>> counters;  ///< of the whole run
    std::vector<std::pair<std::string, std::string>> facts;  ///< what else the figures depend on
};

/// A table for people on standard output.
void print_report(const Report& report);

/// {"machine": {…}, "results": [{name, p50_ns, p99_ns, ops_per_s, …}], "ratios": {…}, "skipped": [{name,
/// reason}]}. Throws farcall::Error when the file cannot be written.
void write_json(const Report& report, const std::string& path);

}  // namespace farcall::bench
