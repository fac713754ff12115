// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "bench/report.h"

namespace farcall::bench {

struct EngineOptions {
    bool quick = false;
    std::vector<int> cores;  ///< client, worker; empty: the first two
};

/// Measures the engine with clients in host threads, no VM: file reads, chains, many channels, several
/// clients, beside system calls and io_uring. Pins the calling thread to the client's core and leaves it
/// there. Throws farcall::Error.
Report measure_engine(const EngineOptions& options);

}  // namespace farcall::bench
