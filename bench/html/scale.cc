// SPDX-License-Identifier: MIT
#include "bench/html/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace farcall::bench::html {
namespace {

constexpr double kLeast = 1e-9;

struct Step {
    double from;  // the smallest value that is shown with it
    const char* unit;
};
constexpr std::array kTimes{Step{1e9, "s"}, Step{1e6, "ms"}, Step{1e3, "µs"}, Step{1, "ns"}};
constexpr std::array kRates{Step{1e9, " G/s"}, Step{1e6, " M/s"}, Step{1e3, " k/s"}, Step{1, "/s"}};

/// To three significant digits, so that 999.6 finds the unit of 1000.
double rounded(double value) {
    if (value <= 0) return 0;
    const double unit = std::pow(10, std::floor(std::log10(value)) - 2);
    return std::round(value / unit) * unit;
}

template <size_t N>
const Step& step_of(const std::array<Step, N>& steps, double value) {
    const auto* step = std::ranges::find_if(steps, [&](const Step& s) { return value >= s.from * 0.99999; });
    return step == steps.end() ? steps.back() : *step;
}

std::string with_commas(std::string digits) {
    for (size_t at = digits.size(); at > 3; at -= 3)
        digits.insert(at - 3, 1, ',');
    return digits;
}

/// What may be labelled: these times powers of ten, of every `stride`-th power. The finest first.
struct Roundness {
    std::vector<double> factors;
    int stride = 1;
};

std::vector<Roundness> roundnesses() {
    std::vector<Roundness> all{
        {{1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5}},
        {{1, 1.5, 2, 3, 5, 7}},
        {{1, 2, 5}},
        {{1, 3}},
        {{1}},
        {{2}},
        {{5}}};
    for (int stride = 2; stride <= 12; stride++)
        all.push_back({{1}, stride});
    return all;
}

std::vector<double> multiples(double low, double high, const Roundness& roundness) {
    std::vector<double> values;
    const int first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
    for (int power = first; std::pow(10, power) <= high * (1 + 1e-9); power += roundness.stride)
        for (const double factor : roundness.factors) {
            const double value = factor * std::pow(10, power);
            if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) values.push_back(value);
        }
    return values;
}

/// A value of the finest roundness, not above (up: not below) the value.
double round_number(double value, bool up) {
    const std::vector<double> near = multiples(value / 10, value * 10, roundnesses().front());
    const auto above = std::ranges::lower_bound(near, value * (1 - 1e-9));
    return up || *above <= value * (1 + 1e-9) ? *above : *std::prev(above);
}

}  // namespace

std::string significant(double value) {
    value = rounded(value);
    if (value <= 0) return "0";
    const int digits = 2 - static_cast<int>(std::floor(std::log10(value) + 1e-9));
    if (digits > 9 || digits < -4) return fmt::format("{:.2e}", value);
    if (digits > 0) return fmt::format("{:.{}f}", value, digits);
    return with_commas(fmt::format("{:.0f}", value));
}

std::string time_text(double ns) {
    const Step& step = step_of(kTimes, rounded(ns));
    return significant(ns / step.from) + " " + step.unit;
}

std::string rate_text(double per_second) {
    const Step& step = step_of(kRates, rounded(per_second));
    return significant(per_second / step.from) + step.unit;
}

std::string percent(double of_hundred) {
    return fmt::format("{:.2f}%", of_hundred);
}

LogScale::LogScale(double low, double high, Unit unit)
    : low_(std::max(low, kLeast)), high_(std::max({low, high, kLeast})), unit_(unit) {
    const double room = std::pow(high_ / low_, 0.03);
    low_ /= room;
    high_ *= room;
    if (!round_values(kFurthestApart).empty()) return;
    low_ = round_number(low_ * (1 - 1e-6), false);
    high_ = round_number(high_ * (1 + 1e-6), true);
}

double LogScale::at(double value) const {
    const double bounded = std::clamp(value, low_, high_);
    return 100 * std::log(bounded / low_) / std::log(high_ / low_);
}

std::string LogScale::label(double value) const {
    if (unit_ == Unit::kPlain) return fmt::format("{:g}", value);
    const Step& step = step_of(kTimes, value);
    return fmt::format("{:g} {}", value / step.from, step.unit);
}

/// Of the finest roundness whose values are so far apart; empty where there are none.
std::vector<double> LogScale::round_values(double apart) const {
    const auto touch = [&](double a, double b) { return at(b) - at(a) < apart; };
    for (const Roundness& roundness : roundnesses()) {
        std::vector<double> values = multiples(low_, high_, roundness);
        if (values.size() >= 2 && std::ranges::adjacent_find(values, touch) == values.end()) return values;
    }
    return {};
}

std::vector<Tick> LogScale::ticks(double apart) const {
    std::vector<double> values = round_values(apart);
    if (values.empty()) values = {low_, high_};
    std::vector<Tick> ticks;
    ticks.reserve(values.size());
    for (const double value : values)
        ticks.push_back({at(value), label(value)});
    return ticks;
}

}  // namespace farcall::bench::html
