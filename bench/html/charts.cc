// SPDX-License-Identifier: MIT
#include "bench/html/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "bench/html/svg.h"

namespace farcall::bench::html {
namespace {

/// Indices into Series::percentiles_ns.
enum Percent : size_t { kP1 = 0, kP25 = 2, kP50 = 3, kP75 = 4, kP99 = 6 };
static_assert(kPercents[kP1] == 1 && kPercents[kP25] == 25 && kPercents[kP50] == 50 &&
              kPercents[kP75] == 75 && kPercents[kP99] == 99);

std::string in_words(const Series& series) {
    const auto& p = series.percentiles_ns;
    return fmt::format("{}: median {}, half of the samples {} to {}, percentiles 1 to 99 {} to {}",
                       series.name, time_text(p[kP50]), time_text(p[kP25]), time_text(p[kP75]),
                       time_text(p[kP1]), time_text(p[kP99]));
}

uint64_t number_of(const Row& row) {
    const auto name = numbered_name(row.series->name);
    return name ? name->number : 0;
}

void grid(Markup& out, const LogScale& scale) {
    for (const Tick& tick : scale.ticks(kApartAcross))
        vertical_line(out, "grid", tick.at);
}

/// From `low` to `high`, with ends.
void whisker(Markup& out, double low, double high) {
    horizontal_line(out, "whisker", low, high);
    vertical_line(out, "whisker", low, "35%", "65%");
    vertical_line(out, "whisker", high, "35%", "65%");
}

void box(Markup& out, const Row& row, const LogScale& times) {
    const auto& p = row.series->percentiles_ns;
    const Element plot(out, "span", {{"class", "plot"}});
    const Element strip(out, "svg", {{"class", "strip"}, {"role", "img"}});
    out.leaf("title", {}, in_words(*row.series));
    grid(out, times);
    const Element colour(out, "g", {{"class", style_class(row.style)}});
    whisker(out, times.at(p[kP1]), times.at(p[kP99]));
    rectangle(out, "box", times.at(p[kP25]), times.at(p[kP75]), "22%", "56%");
    vertical_line(out, "median", times.at(p[kP50]), "14%", "86%");
}

}  // namespace

void legend(Markup& out, const std::vector<Key>& keys) {
    const Element list(out, "ul", {{"class", "legend"}});
    for (const Key& key : keys) {
        const Element item(out, "li");
        {
            const Element sample(out, "svg", {{"class", "sample"}, {"aria-hidden", "true"}});
            curve(out, {{0, 50}, {100, 50}}, key.style);
            mark(out, {50, 50}, key.style);
        }
        out.name(key.name);
    }
}

LogScale times_of(const std::vector<Row>& rows) {
    double low = 0, high = 0;
    for (const Row& row : rows) {
        const auto& p = row.series->percentiles_ns;
        if (p[kP1] > 0) low = low > 0 ? std::min(low, p[kP1]) : p[kP1];
        high = std::max(high, p[kP99]);
    }
    return {low > 0 ? low : 1, high};
}

void box_plots(Markup& out, const std::vector<Row>& rows) {
    if (rows.empty()) return;
    const LogScale times = times_of(rows);
    const Element list(out, "div", {{"class", "rows boxes"}});
    const auto differ = [](const Row& a, const Row& b) { return number_of(a) != number_of(b); };
    const bool apart = std::ranges::adjacent_find(rows, std::not_fn(differ)) != rows.end();
    const Row* before = &rows.front();
    for (const Row& row : rows) {
        const bool another = apart && differ(row, *std::exchange(before, &row));
        const Element line(out, "div", {{"class", another ? "row another" : "row"}});
        out.name(row.series->name);
        out.leaf("span", {{"class", "value"}}, time_text(row.series->percentiles_ns[kP50]));
        box(out, row, times);
    }
    strip_axis(out, "Axis: time per operation, logarithmic", times);
}

void distribution(Markup& out, const std::string& title, const std::vector<Row>& rows,
                  const LogScale& times) {
    const Element figure(out, "figure");
    out.leaf("figcaption", {}, title);
    const Element chart(out, "svg", {{"class", "chart small"}, {"role", "img"}});
    out.leaf("title", {}, "Distribution of the time per operation, " + title);
    std::string words;
    for (const Row& row : rows)
        words += in_words(*row.series) + ". ";
    out.leaf("desc", {}, words);
    axes(out, times.ticks(kApartAcross),
         {{0, "0 %"}, {25, "25 %"}, {50, "50 %"}, {75, "75 %"}, {100, "100 %"}});
    for (const Row& row : rows) {
        std::vector<Point> points;
        for (size_t i = 1; i + 1 < kQuantiles; i++)
            points.push_back({times.at(row.series->quantiles_ns[i]), static_cast<double>(i)});
        curve(out, points, row.style);
    }
}

void interval_strip(Markup& out, const std::string& title, const Interval& interval, const LogScale& scale) {
    const Element strip(out, "svg", {{"class", "strip"}, {"role", "img"}});
    out.leaf("title", {}, title);
    grid(out, scale);
    vertical_line(out, "one", scale.at(1));
    const Element colour(out, "g", {{"class", style_class(0)}});
    if (interval.known) whisker(out, scale.at(interval.low), scale.at(interval.high));
    mark(out, {scale.at(interval.value), 50}, 0);
}

void strip_axis(Markup& out, const std::string& title, const LogScale& scale) {
    const Element line(out, "div", {{"class", "row axis"}});
    const Element plot(out, "span", {{"class", "plot"}});
    const Element strip(out, "svg", {{"class", "strip"}, {"role", "img"}});
    out.leaf("title", {}, title);
    labels_across(out, scale.ticks(kApartAcross), "0");
}

}  // namespace farcall::bench::html
