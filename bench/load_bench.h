// SPDX-License-Identifier: MIT
#pragma once

#include "bench/run.h"

namespace farcall::bench {

/// Latency of nops that come at given rates (open_loop.h): through the engine, and through io_uring with
/// enter and with a polling kernel thread. Throws farcall::Error.
Report measure_load(const Options& options);

}  // namespace farcall::bench
