// SPDX-License-Identifier: MIT
// Counts of calls by program, in memory that all processes of a run share (a file beside the summary), so
// that a process that is killed loses none. The table itself is written whenever a process ends.
#pragma once

#include "guest-lib/preload/sys.h"

namespace farcall::preload {

/// Counts of an earlier run are gone.
void begin_summary();
/// Finds or makes this program's counters. Without them nothing is counted.
void open_summary();
void count_call(u32 number, bool host, bool error);
/// Writes the table of all programs so far.
void write_summary();

}  // namespace farcall::preload
