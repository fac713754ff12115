// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "bench/report.h"

namespace farcall::bench {

struct BareOptions {
    bool quick = false;
    std::vector<int> cores;  ///< client, worker; empty: the first two
};

/// Measures all of README.md's table with the bare guest. Pins the calling thread to the client's core and
/// leaves it there. Throws farcall::Error: no KVM, fewer than two cores, a side that does not answer.
Report measure_bare(const BareOptions& options);

}  // namespace farcall::bench
