// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <farcall/abi.h>
#include <farcall/ring.h>

namespace farcall {

class Channel;

inline constexpr uint32_t kNoNode = ~0u;

/// A command that was taken off a ring and has not completed yet. `cmd` is the one copy that is ever looked
/// at.
struct Task {
    fc_command cmd;
    Channel* channel = nullptr;  ///< nullptr once the channel is gone: the event then goes nowhere
    uint32_t node = kNoNode;     ///< its place in the event graph, if it needs one
    uint64_t picked_up = 0;      ///< CLOCK_MONOTONIC ns; only for channels with time stamps, as is the next
    uint64_t started = 0;
};

/// An event's result without the number of a buffer that the host picked.
inline int64_t moved_bytes(int64_t result, uint8_t event_flags) {
    if (!(event_flags & FC_E_BUFFER)) return result;
    return event_flags & FC_E_BLOCK ? fc_block_bytes(static_cast<int32_t>(result)) : FC_RESULT_BYTES(result);
}

}  // namespace farcall
