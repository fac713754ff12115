// SPDX-License-Identifier: MIT
// The strokes that charts are made of. All places are shares of the width and height, so a chart is as wide
// as its box and its text keeps its size; the style sheet (style.h) gives it the room for its labels.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/html/markup.h"
#include "bench/html/scale.h"

namespace farcall::bench::html {

/// So many colours, dashes and marks the style sheet has.
constexpr size_t kStyles = 8;
/// How far from each other labels are, in hundredths: beside each other in the narrowest chart, and above
/// each other.
constexpr double kApartAcross = kFurthestApart, kApartUp = 12;

/// In hundredths of the chart; y from below.
struct Point {
    double x, y;
};

/// The class of a colour, a dash and a mark.
std::string style_class(size_t index);

void vertical_line(Markup& out, std::string_view kind, double x, std::string_view from = "0",
                   std::string_view to = "100%");
void horizontal_line(Markup& out, std::string_view kind, double from, double to, double y = 50);
void rectangle(Markup& out, std::string_view kind, double from, double to, std::string_view y,
               std::string_view height);

void curve(Markup& out, const std::vector<Point>& points, size_t style);
void mark(Markup& out, const Point& point, size_t style);

/// Labels below what has a grid of its own.
void labels_across(Markup& out, const std::vector<Tick>& ticks, std::string_view y);
/// Grid and labels of both axes.
void axes(Markup& out, const std::vector<Tick>& across, const std::vector<Tick>& up);

}  // namespace farcall::bench::html
