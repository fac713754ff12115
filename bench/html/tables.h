// SPDX-License-Identifier: MIT
// What a report says in words and figures: facts, warnings, ratios, and the data behind the charts.
#pragma once

#include <vector>

#include "bench/html/families.h"
#include "bench/html/markup.h"

namespace farcall::bench::html {

/// Warnings, and what was left out. Nothing where there are none.
void remarks(Markup& out, const FullRecord& record);

/// Machine and run.
void facts(Markup& out, const FullRecord& record);

/// All ratios, of which there are some, with their intervals: those of which something was expected, and
/// folded away the others.
void ratios(Markup& out, const FullRecord& record);

/// What operations cost beside time, where nothing is known of its parts: a table for those that count the
/// same. Takes all splits, shows those without parts.
void counts(Markup& out, const std::vector<Split>& splits);

/// Figures of a group's series, folded away.
void data(Markup& out, const Group& group);

}  // namespace farcall::bench::html
