// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bench/html/charts.h"
#include "bench/html/svg.h"

namespace farcall::bench::html {
namespace {

/// Of the narrowest chart there is, and of a digit.
constexpr double kNarrowest = 230, kDigit = 7.5;

using Numbers = std::set<uint64_t>;

/// Of a few letters: large ones are rounded.
std::string count_text(uint64_t count) {
    const double millions = static_cast<double>(count) / 1e6;
    if (count >= 1'000'000)
        return count < 100'000'000 ? fmt::format("{:.3g}M", millions) : fmt::format("{:.0f}M", millions);
    if (count >= 1000 && count % 1000 == 0) return fmt::format("{}k", count / 1000);
    return fmt::format("{}", count);
}

/// Where the numbers lie: by their logarithms, with a little room at both ends.
class Counts {
  public:
    explicit Counts(const Numbers& numbers)
        : low_(place(*numbers.begin())), high_(place(*numbers.rbegin())) {}

    double at(uint64_t number) const {
        return high_ > low_ ? 4 + 92 * (place(number) - low_) / (high_ - low_) : 50;
    }

  private:
    // There may be a 0.
    static double place(uint64_t number) { return std::log(static_cast<double>(number) + 0.5); }

    double low_, high_;
};

/// The numbers themselves, without those whose labels would touch a neighbour's or the last one's.
std::vector<Tick> labels(const Numbers& numbers, const Counts& counts) {
    std::vector<Tick> ticks;
    const auto apart = [](const Tick& left, const Tick& right) {
        const double chars = static_cast<double>(left.label.size() + right.label.size()) / 2 + 1;
        return (right.at - left.at) / 100 * kNarrowest >= chars * kDigit;
    };
    const Tick last{counts.at(*numbers.rbegin()), count_text(*numbers.rbegin())};
    for (const uint64_t number : numbers) {
        const Tick tick{counts.at(number), count_text(number)};
        if ((ticks.empty() || apart(ticks.back(), tick)) && apart(tick, last)) ticks.push_back(tick);
    }
    ticks.push_back(last);
    return ticks;
}

void family_curve(Markup& out, const Family& family, size_t style, const Counts& counts,
                  const LogScale& times) {
    std::vector<Point> points;
    for (const auto& [series, number] : family.members)
        points.push_back({counts.at(number), times.at(median_interval(series->rounds).value)});
    curve(out, points, style);
    for (size_t i = 0; i < points.size(); i++) {
        const Interval typical = median_interval(family.members[i].series->rounds);
        const Element colour(out, "g", {{"class", style_class(style)}});
        vertical_line(out, "whisker", points[i].x, percent(100 - times.at(typical.high)),
                      percent(100 - times.at(typical.low)));
        mark(out, points[i], style);
    }
}

std::string in_words(const Family& family) {
    std::string words = family.name + ":";
    for (const auto& [series, number] : family.members)
        words += fmt::format(" {} at {},", time_text(median_interval(series->rounds).value), number);
    words.back() = '.';
    return words + " ";
}

LogScale times_of(const std::vector<Family>& families) {
    double low = 1e300, high = 0;
    for (const Family& family : families)
        for (const auto& [series, number] : family.members) {
            const Interval typical = median_interval(series->rounds);
            low = std::min(low, typical.low);
            high = std::max(high, typical.high);
        }
    return {low, high};
}

}  // namespace

void scaling(Markup& out, const std::vector<Family>& families, const std::string& count) {
    Numbers numbers;
    std::string words;
    for (const Family& family : families) {
        words += in_words(family);
        for (const auto& [series, number] : family.members)
            numbers.insert(number);
    }
    if (numbers.empty()) return;
    const Counts counts(numbers);
    const LogScale times = times_of(families);
    const std::string title = "Time against " + (count.empty() ? "the number" : "“" + count + "”");
    const Element figure(out, "figure");
    out.leaf("figcaption", {}, title + "; lower is faster; bars: 95 %");
    const Element chart(out, "svg", {{"class", "chart"}, {"role", "img"}});
    out.leaf("title", {}, title);
    out.leaf("desc", {}, words);
    axes(out, labels(numbers, counts), times.ticks(kApartUp));
    // The first lies on top of the others.
    for (size_t i = families.size(); i-- > 0;)
        family_curve(out, families[i], i, counts, times);
}

}  // namespace farcall::bench::html
