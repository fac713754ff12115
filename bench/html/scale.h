// SPDX-License-Identifier: MIT
// Figures as people read them, and where they lie on an axis.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace farcall::bench::html {

/// Three significant digits, thousands apart by commas: 0.0123, 1.23, 12.3, 123, 12,300, 1.23e+09.
std::string significant(double value);
/// Of ns, in ns, µs, ms or s: "1.23 µs".
std::string time_text(double ns);
/// Of operations per second: "1.23 M/s".
std::string rate_text(double per_second);
/// A share of the width or height, for an attribute: "12.34%".
std::string percent(double of_hundred);

enum class Unit { kTime, kPlain };

struct Tick {
    double at;  ///< 0..100
    std::string label;
};

constexpr double kFurthestApart = 26;

/// A logarithmic axis, as wide as 100.
class LogScale {
  public:
    /// Shows all between `low` and `high`, with a little room beside; more where nothing round is in between.
    /// What is not above 0 is taken for the least that can be shown.
    LogScale(double low, double high, Unit unit = Unit::kTime);

    /// What lies outside is moved to the end.
    double at(double value) const;
    /// Round values from left to right, so many that they are `apart` (of 100; at most kFurthestApart), at
    /// least two.
    std::vector<Tick> ticks(double apart) const;

  private:
    std::vector<double> round_values(double apart) const;
    std::string label(double value) const;

    double low_, high_;
    Unit unit_;
};

}  // namespace farcall::bench::html
