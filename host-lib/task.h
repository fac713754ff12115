// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <farcall/abi.h>

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

}  // namespace farcall
