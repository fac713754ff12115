// SPDX-License-Identifier: MIT
// The charts of a report. Each has a <title>, and in words what it shows.
#pragma once

#include <string>
#include <vector>

#include "bench/html/families.h"
#include "bench/html/markup.h"
#include "bench/html/scale.h"
#include "bench/interval.h"

namespace farcall::bench::html {

/// A series, and a name, with what they are drawn in: svg.h's kStyles.
struct Row {
    const Series* series;
    size_t style;
};
struct Key {
    std::string name;
    size_t style;
};

/// What each style stands for.
void legend(Markup& out, const std::vector<Key>& keys);

/// A line for each: percentiles 1 to 99 as whisker, 25 to 75 as box, the median as a bar and in words.
/// Numbers at the end of names set them apart.
void box_plots(Markup& out, const std::vector<Row>& rows);

/// All times that box_plots() and distribution() show of them.
LogScale times_of(const std::vector<Row>& rows);

/// How the samples of each are distributed, percentiles 1 to 99.
void distribution(Markup& out, const std::string& title, const std::vector<Row>& rows, const LogScale& times);

/// Typical time per operation by the number at the end of the names, a curve for each family. `count`: what
/// the number counts. At most kStyles families, whose styles are their indices.
void scaling(Markup& out, const std::vector<Family>& families, const std::string& count);

/// Bars of parts, each with its list of parts and its counts, of those splits that have parts.
void split_bars(Markup& out, const std::vector<Split>& splits);

/// A point and its interval on an axis that many share.
void interval_strip(Markup& out, const std::string& title, const Interval& interval, const LogScale& scale);
/// The labels below strips.
void strip_axis(Markup& out, const std::string& title, const LogScale& scale);

}  // namespace farcall::bench::html
