// SPDX-License-Identifier: MIT
// Finds the system call instructions of an object and decides how each can be made to jump to a slot. Nothing
// is changed here. Code is told from data by functions: a site counts only when a known function, decoded
// from its start to its end, has the instruction there.
#pragma once

#include "guest-lib/preload/object.h"

namespace farcall::preload {

enum class Way : u8 {
    kNone,       ///< left alone: see Site::reason
    kBefore,     ///< one instruction of 5 bytes or more before the call is replaced; no other instruction is
                 ///< touched
    kShortJump,  ///< the call itself becomes a short jump to padding near it, which jumps on
    kAfter,      ///< the call and instructions behind it are replaced, nobody jumps to those
};

enum class Reason : u8 {
    kNone,
    kNoFunction,
    kUndecodable,
    kNoRoom,
    kSignalReturn,
    kCancellation,
    kTooFar,
    kCount
};
const char* reason_text(Reason reason);

struct Site {
    u64 call;    ///< address of the system call instruction (link time, as all here)
    u64 patch;   ///< where bytes change
    u32 before;  ///< bytes from patch to call that the slot executes first
    u32 after;   ///< bytes behind the call that the slot executes as well
    u64 hole;    ///< kShortJump: the padding
    Way way;
    Reason reason;
};

struct Sites {
    Site* all = nullptr;
    u64 count = 0;
    u64 capacity = 0;
    u64 not_code = 0;  ///< the bytes of the instruction, but in data or inside another instruction
};

/// All sites in the executable segment. The result is map_memory()'s: release() it. False: no memory.
bool find_sites(const Object& object, const Elf64_Phdr& segment, Sites& out);
void release(Sites& sites);

}  // namespace farcall::preload
