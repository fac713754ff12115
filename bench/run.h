// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/noise.h"
#include "bench/report.h"

namespace farcall::bench {

/// What every bench can be told.
struct Options {
    bool quick = false;
    std::vector<int> cores;       ///< client, worker; empty: the first two
    uint32_t messages = 0;        ///< aem: of each size, to each server; 0: its own number
    double exit_price_ns = 1500;  ///< latency, vm: what a VM exit costs on hardware
    std::string files;            ///< weight, programs: directory for what their scripts write; empty: none
};

/// How long a bench goes on: so many rounds, or so many seconds with its set-up.
struct Extent {
    uint32_t rounds;
    double seconds;
};

/// A bench on its way: its clock starts here, before any set-up.
class Run {
  public:
    /// Measures the clock and looks at the machine. Throws farcall::Error (the cores).
    /// ticks_per_ns: of the samples; 0: they are of the time-stamp counter.
    Run(std::string name, const Options& options, double ticks_per_ns = 0);

    /// Repeats `round`, at least twice, so that ratios have something to be a median of.
    void repeat(Extent extent, const std::function<void()>& round);
    /// The finished report: closes the results, then lets `add_ratios` compare them.
    Report finish(const std::function<void()>& add_ratios);
    Report& report() { return report_; }

  private:
    double elapsed() const;

    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    Report report_;
    NoiseWatch noise_;
};

}  // namespace farcall::bench
