// SPDX-License-Identifier: MIT
#include "bench/html/svg.h"

#include <fmt/format.h>

#include <array>

namespace farcall::bench::html {
namespace {

/// Around 0, 0; no two are alike.
constexpr std::array<std::string_view, kStyles> kMarks{"M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
                                                       "M-3.5 -3.5h7v7h-7z",
                                                       "M0 -5l4.5 8h-9z",
                                                       "M0 -5l5 5l-5 5l-5 -5z",
                                                       "M0 5l4.5 -8h-9z",
                                                       "M-5 -1.5h10v3h-10z",
                                                       "M-1.5 -5h3v10h-3z",
                                                       "M-1.5 -5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z"};

}  // namespace

std::string style_class(size_t index) {
    return fmt::format("s{}", index % kStyles);
}

void vertical_line(Markup& out, std::string_view kind, double x, std::string_view from, std::string_view to) {
    out.empty("line", {{"class", kind}, {"x1", percent(x)}, {"x2", percent(x)}, {"y1", from}, {"y2", to}});
}

void horizontal_line(Markup& out, std::string_view kind, double from, double to, double y) {
    out.empty("line", {{"class", kind},
                       {"x1", percent(from)},
                       {"x2", percent(to)},
                       {"y1", percent(y)},
                       {"y2", percent(y)}});
}

void rectangle(Markup& out, std::string_view kind, double from, double to, std::string_view y,
               std::string_view height) {
    out.empty(
        "rect",
        {{"class", kind}, {"x", percent(from)}, {"width", percent(to - from)}, {"y", y}, {"height", height}});
}

void curve(Markup& out, const std::vector<Point>& points, size_t style) {
    // Stretched to the chart; the style sheet keeps the stroke from it.
    const Element stretched(out, "svg",
                            {{"viewBox", "0 0 1000 1000"},
                             {"preserveAspectRatio", "none"},
                             {"width", "100%"},
                             {"height", "100%"}});
    std::string list;
    for (const Point& point : points)
        list += fmt::format("{:.1f},{:.1f} ", 10 * point.x, 1000 - 10 * point.y);
    out.empty("polyline", {{"class", "curve " + style_class(style)}, {"points", list}});
}

void mark(Markup& out, const Point& point, size_t style) {
    const Element place(out, "svg",
                        {{"class", "mark"}, {"x", percent(point.x)}, {"y", percent(100 - point.y)}});
    out.empty("path", {{"class", style_class(style)}, {"d", kMarks[style % kStyles]}});
}

void labels_across(Markup& out, const std::vector<Tick>& ticks, std::string_view y) {
    for (const Tick& tick : ticks)
        out.leaf("text", {{"class", "x"}, {"x", percent(tick.at)}, {"y", y}, {"dy", "1.7em"}}, tick.label);
}

void axes(Markup& out, const std::vector<Tick>& across, const std::vector<Tick>& up) {
    for (const Tick& tick : across)
        vertical_line(out, "grid", tick.at);
    for (const Tick& tick : up) {
        horizontal_line(out, "grid", 0, 100, 100 - tick.at);
        out.leaf("text", {{"class", "y"}, {"x", "-8"}, {"y", percent(100 - tick.at)}, {"dy", "0.35em"}},
                 tick.label);
    }
    horizontal_line(out, "base", 0, 100, 100);
    labels_across(out, across, "100%");
}

}  // namespace farcall::bench::html
