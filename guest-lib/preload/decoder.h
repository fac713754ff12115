// SPDX-License-Identifier: MIT
// The disassembler: Zydis, of which this library holds its own copy (no libc, no formatter, nothing
// exported).
#pragma once

#define ZYAN_NO_LIBC
#define ZYDIS_STATIC_BUILD
#define ZYCORE_STATIC_BUILD
#define ZYDIS_DISABLE_ENCODER
#define ZYDIS_DISABLE_FORMATTER
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <Zydis/Zydis.h>
#pragma GCC diagnostic pop

#include "guest-lib/preload/sys.h"

namespace farcall::preload {

/// What an instruction does to the flow of control.
enum class Flow : u8 { kNext, kJump, kConditional, kCall, kReturn, kIndirect, kSystemCall, kTrap };

struct Instruction {
    ZydisDecodedInstruction info;
    u64 address;
    u64 target;  ///< of a direct jump or call
    Flow flow;
};

class Decoder {
  public:
    Decoder();
    bool decode(const u8* code, u64 room, u64 address, Instruction& out) const;
    /// Whether the instruction writes the stack pointer.
    bool writes_stack_pointer(const u8* code, u64 room) const;

  private:
    ZydisDecoder decoder_;
};

}  // namespace farcall::preload
