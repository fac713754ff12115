// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace farcall::bench {

/// Round trips of a counter between the calling thread and a thread pinned to `peer_core`, in ticks: the
/// floor of any exchange through shared memory. `same_line`: one cache line for both directions, otherwise
/// one for each. One sample for each `chunk` round trips; `chunk` divides `count`.
std::vector<uint32_t> pingpong(int peer_core, bool same_line, uint32_t count, uint32_t chunk = 1);

}  // namespace farcall::bench
