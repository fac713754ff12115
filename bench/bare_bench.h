// SPDX-License-Identifier: MIT
#pragma once

#include "bench/run.h"

namespace farcall::bench {

/// Measures all of README.md's table with the bare guest. Pins the calling thread to the client's core and
/// leaves it there. Throws farcall::Error: no KVM, fewer than two cores, a side that does not answer.
Report measure_bare(const Options& options);

}  // namespace farcall::bench
