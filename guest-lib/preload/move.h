// SPDX-License-Identifier: MIT
#pragma once

#include "guest-lib/preload/decoder.h"

namespace farcall::preload {

constexpr u64 kMaxMoved = 16;  ///< bytes of one instruction, moved

/// Whether the difference fits the 32-bit displacement of a jump.
constexpr bool fits32(u64 difference) {
    return static_cast<i64>(difference) == static_cast<i64>(static_cast<i32>(difference));
}

void put32(u8* to, u64 value);

/// Writes to `to`, which will run at `to_address`, what means the same as the instruction at `code`. Bytes
/// written, 0: cannot be done. Both addresses are of the running program, or both of the link.
u64 move_instruction(const Instruction& instruction, const u8* code, u8* to, u64 to_address);

}  // namespace farcall::preload
