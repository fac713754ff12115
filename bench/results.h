// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace farcall::bench {

/// Which percentiles of a series are kept.
constexpr std::array kPercents{1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 100.0};
/// How many steps the distribution of a series is kept in: percentiles 0, 1, … 100.
constexpr size_t kQuantiles = 101;

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
    std::array<double, kPercents.size()> percentiles_ns{};  ///< over samples
    std::array<double, kQuantiles> quantiles_ns{};          ///< over samples
};

/// Where the time of one operation goes: parts that follow each other, and what it cost beside time. One of
/// both may be missing.
struct Split {
    struct Part {
        std::string name;
        double p50_ns;
    };
    std::string name;  ///< of a series, whose p50 the parts add up to, as far as medians do
    std::vector<Part> parts;
    std::vector<std::pair<std::string, double>> per_operation;  ///< exits, interrupts, …: counts
};

/// value = `over` : `under`, both ns per operation, median over rounds.
struct Ratio {
    std::string name;
    double value = 0;
    std::vector<double> rounds;  ///< its value in each; empty where it is none of two series
    std::string aim;             ///< what the README expects; for the reader only
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
        ratios_.push_back({std::string(name), value, {}, std::string(aim)});
    }
    /// The same with its value in each round, of which there is at least one.
    void add_ratio_rounds(std::string_view name, std::vector<double> rounds, std::string_view aim);
    void add_split(Split split) { splits_.push_back(std::move(split)); }
    /// Computes the figures of all series.
    void finish();

    const std::vector<Series>& series() const { return series_; }
    const std::vector<Ratio>& ratios() const { return ratios_; }
    const std::vector<Split>& splits() const { return splits_; }
    const std::vector<Skipped>& skipped() const { return skipped_; }
    double ticks_per_ns() const { return ticks_per_ns_; }
    const Series* find(std::string_view name) const;

  private:
    double ticks_per_ns_;
    std::vector<Series> series_;
    std::vector<Ratio> ratios_;
    std::vector<Split> splits_;
    std::vector<Skipped> skipped_;
};

}  // namespace farcall::bench
