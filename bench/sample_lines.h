// SPDX-License-Identifier: MIT
#pragma once

#include <istream>

#include "bench/report.h"

namespace farcall::bench {

/// What a script of the source tree measured, a line of JSON each (README.md, "Figures of scripts"): adds it
/// to `report`, whose ticks are nanoseconds. Some of it comes from guests: throws farcall::Error, which names
/// the line, for anything but what is expected, and when they end too soon. Figures beyond the range of a
/// sample (4.29 s) count as its end, and a warning says so.
void add_sample_lines(std::istream& in, Report& report);

}  // namespace farcall::bench
