// SPDX-License-Identifier: MIT
// Benches that are scripts of the source tree: they boot VMs, on this machine's own KVM or in the nested rig,
// and leave figures, tables and pictures in a directory.
#pragma once

#include <string>

#include "bench/run.h"

namespace farcall::bench {

/// Event-priority weighting: shares, wake-up latency, cost.
Report measure_weight(const Options& options);

/// Unmodified programs beside their peers.
Report measure_programs(const Options& options);

/// Empty, or the reason why this executable knows of no script.
std::string no_source_tree();

}  // namespace farcall::bench
