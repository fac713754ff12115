// SPDX-License-Identifier: MIT
#include "guest-lib/preload/move.h"

#include "guest-lib/preload/basic.h"

namespace farcall::preload {

void put32(u8* to, u64 value) {
    const auto low = static_cast<u32>(value);
    memcpy(to, &low, sizeof(low));
}

namespace {

// The displacement of a rip-relative operand counts from the instruction's end.
u64 move_plain(const Instruction& instruction, const u8* code, u8* to, u64 to_address) {
    const auto& info = instruction.info;
    memcpy(to, code, info.length);
    if ((info.attributes & ZYDIS_ATTRIB_IS_RELATIVE) == 0) return info.length;
    const bool memory = info.raw.disp.size == 32 && info.raw.modrm.mod == 0 && info.raw.modrm.rm == 5;
    if (!memory || info.raw.imm[0].is_relative != 0) return 0;
    const u64 moved = static_cast<u64>(info.raw.disp.value) + instruction.address - to_address;
    if (!fits32(moved)) return 0;
    put32(to + info.raw.disp.offset, moved);
    return info.length;
}

u64 move_conditional(const Instruction& instruction, u8* to, u64 to_address) {
    const auto& info = instruction.info;
    const bool short_form = info.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (info.opcode & 0xf0) == 0x70;
    const bool near_form = info.opcode_map == ZYDIS_OPCODE_MAP_0F && (info.opcode & 0xf0) == 0x80;
    const u64 away = instruction.target - (to_address + 6);
    if ((!short_form && !near_form) || !fits32(away)) return 0;
    to[0] = 0x0f;
    to[1] = static_cast<u8>(0x80 | (info.opcode & 0x0f));
    put32(to + 2, away);
    return 6;
}

}  // namespace

u64 move_instruction(const Instruction& instruction, const u8* code, u8* to, u64 to_address) {
    const u64 away = instruction.target - (to_address + 5);
    switch (instruction.flow) {
        case Flow::kNext:
            return move_plain(instruction, code, to, to_address);
        case Flow::kConditional:
            return move_conditional(instruction, to, to_address);
        case Flow::kReturn:
            memcpy(to, code, instruction.info.length);
            return instruction.info.length;
        case Flow::kJump:
            if (!fits32(away)) return 0;
            to[0] = 0xe9;
            put32(to + 1, away);
            return 5;
        default:
            return 0;
    }
}

}  // namespace farcall::preload
