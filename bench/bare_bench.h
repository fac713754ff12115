// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "bench/cores.h"
#include "bench/results.h"

namespace farcall::bench {

struct BareOptions {
    bool quick = false;
    std::vector<int> cores;  ///< client, worker; empty: the first two
};

struct BareReport {
    Results results;
    Machine machine;
    Cores cores;
    uint32_t rounds = 0;
    double seconds = 0;
    uint64_t doorbells = 0;      ///< rung by the clients
    uint64_t worker_sleeps = 0;  ///< of the engine
};

/// Measures all of README.md's table with the bare guest. Pins the calling thread to the client's core and
/// leaves it there. Throws farcall::Error: no KVM, fewer than two cores, a side that does not answer.
BareReport measure_bare(const BareOptions& options);

}  // namespace farcall::bench
