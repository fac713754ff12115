// SPDX-License-Identifier: MIT
#pragma once

#include "bench/run.h"

namespace farcall::bench {

/// Measures the engine with clients in host threads, no VM: file reads, chains, many channels, several
/// clients, beside system calls and io_uring. Pins the calling thread to the client's core and leaves it
/// there. Throws farcall::Error.
Report measure_engine(const Options& options);

}  // namespace farcall::bench
