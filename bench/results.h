// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace farcall::bench {

/// One measured quantity over all rounds.
struct Series {
    std::string name;
    uint32_t in_flight = 1;
    uint32_t chunk = 1;             ///< operations per sample
    std::vector<uint32_t> samples;  ///< ticks, all rounds
    std::vector<double> rounds;     ///< typical_ticks() of each round, in ns per operation
    double p50_ns = 0;              ///< the rest is filled by Results::finish(): per operation
    double p99_ns = 0;              ///< over samples, i.e. over chunks where chunk > 1
    double ops_per_s = 0;           ///< from the median
    double ops_per_s_mean = 0;      ///< from the total time, everything included
};

/// value = `over` : `under`, both ns per operation, median over rounds.
struct Ratio {
    std::string name;
    double value = 0;
    std::string aim;  ///< what the README expects; for the reader only
};

struct Skipped {
    std::string name;
    std::string reason;
};

/// The typical sample of one round: the median of the means of short runs of consecutive samples.
/// Fine-grained where the counter is coarse (it advances in steps of 10 ns on some machines, which a plain
/// median shows), and unmoved by the runs in which the core was taken away. Fewer samples than one run: their
/// median.
double typical_ticks(const std::vector<uint32_t>& samples);

/// Collects what the rounds measure. Series keep the order in which they first appear.
class Results {
  public:
    explicit Results(double ticks_per_ns) : ticks_per_ns_(ticks_per_ns) {}

    /// Adds one round: samples of `chunk` operations each, in ticks.
    void add(std::string_view name, std::vector<uint32_t> samples, uint32_t chunk = 1,
             uint32_t in_flight = 1);
    /// Says why a series is missing. Repeating it is harmless.
    void skip(std::string_view name, std::string_view reason);
    /// Adds the ratio of two series, unless one is missing.
    void add_ratio(std::string_view over, std::string_view under, std::string_view aim);
    /// Adds a ratio that is not one of two series.
    void add_ratio_value(std::string_view name, double value, std::string_view aim) {
        ratios_.push_back({std::string(name), value, std::string(aim)});
    }
    /// Computes the figures of all series.
    void finish();

    const std::vector<Series>& series() const { return series_; }
    const std::vector<Ratio>& ratios() const { return ratios_; }
    const std::vector<Skipped>& skipped() const { return skipped_; }
    double ticks_per_ns() const { return ticks_per_ns_; }
    const Series* find(std::string_view name) const;

  private:
    double ticks_per_ns_;
    std::vector<Series> series_;
    std::vector<Ratio> ratios_;
    std::vector<Skipped> skipped_;
};

}  // namespace farcall::bench
