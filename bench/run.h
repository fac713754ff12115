// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "bench/report.h"

namespace farcall::bench {

/// What every bench can be told.
struct Options {
    bool quick = false;
    std::vector<int> cores;  ///< client, worker; empty: the first two
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
    explicit Run(const Options& options);

    /// Repeats `round`, at least twice, so that ratios have something to be a median of.
    void repeat(Extent extent, const std::function<void()>& round);
    /// The finished report: closes the results, then lets `add_ratios` compare them.
    Report finish(const std::function<void()>& add_ratios);
    Report& report() { return report_; }

  private:
    double elapsed() const;

    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    Report report_;
};

}  // namespace farcall::bench
