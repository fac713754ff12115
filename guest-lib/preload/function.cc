// SPDX-License-Identifier: MIT
#include "guest-lib/preload/function.h"

namespace farcall::preload {

namespace {

constexpr u64 kMaxSteps = 65536;
constexpr u64 kMaxParts = 32;

// `jmp *GOT(%rip)` leaves the function; a jump through a register or an indexed table may go to any label in
// it.
bool is_table_jump(const Instruction& instruction) {
    const auto& info = instruction.info;
    if (instruction.flow != Flow::kIndirect) return false;
    return !(info.raw.modrm.mod == 0 && info.raw.modrm.rm == 5);
}

bool jumps_directly(Flow flow) {
    return flow == Flow::kJump || flow == Flow::kConditional;
}

}  // namespace

Body::~Body() {
    if (steps_ != nullptr) unmap_memory(steps_, kMaxSteps * sizeof(Step));
}

bool Body::load(u64 address) {
    if (known_ && range_.holds(address)) return usable_;
    usable_ = false;
    known_ = object_.function_at(address, range_);
    if (!known_) return false;
    if (steps_ == nullptr) steps_ = static_cast<Step*>(map_memory(kMaxSteps * sizeof(Step)));
    code_ = object_.at(range_.begin, range_.bytes());
    usable_ = steps_ != nullptr && code_ != nullptr && decode();
    return usable_;
}

bool Body::decode() {
    const u64 bytes = range_.bytes();
    count_ = 0;
    Instruction instruction;
    for (u64 offset = 0; offset < bytes; offset += instruction.info.length) {
        if (count_ == kMaxSteps ||
            !decoder_.decode(code_ + offset, bytes - offset, range_.begin + offset, instruction))
            return false;
        Step& step = steps_[count_++];
        step.offset = static_cast<u32>(offset);
        step.length = instruction.info.length;
        step.flow = instruction.flow;
        step.nop = instruction.info.mnemonic == ZYDIS_MNEMONIC_NOP;
        step.table_jump = is_table_jump(instruction);
        step.target = jumps_directly(instruction.flow) ? instruction.target : 0;
    }
    return true;
}

bool Body::full(u64 i, Instruction& out) const {
    return decoder_.decode(bytes(i), steps_[i].length, address(i), out);
}

u64 Body::find(u64 wanted) const {
    u64 low = 0, high = count_;
    while (low < high) {
        const u64 middle = (low + high) / 2;
        if (address(middle) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count_ && address(low) == wanted ? low : count_;
}

bool Body::jumped_to(u64 after, u64 before) const {
    for (u64 i = 0; i < count_; i++)
        if (steps_[i].target > after && steps_[i].target < before) return true;
    return false;
}

bool Body::may_be_entered(u64 after, u64 before) const {
    if (range_.landing_pads) return true;
    u64 parts[kMaxParts];
    u64 used = 0;
    for (u64 i = 0; i < count_; i++) {
        if (steps_[i].table_jump) return true;
        const u64 target = steps_[i].target;
        if (target == 0 || range_.holds(target)) continue;
        Function part;
        if (!object_.function_at(target, part)) return true;
        bool seen = false;
        for (u64 k = 0; k < used; k++)
            seen = seen || parts[k] == part.begin;
        if (seen) continue;
        if (used == kMaxParts) return true;
        parts[used++] = part.begin;
        const u8* code = object_.at(part.begin, part.bytes());
        Instruction instruction;
        if (code == nullptr) return true;
        for (u64 offset = 0; offset < part.bytes(); offset += instruction.info.length) {
            if (!decoder_.decode(code + offset, part.bytes() - offset, part.begin + offset, instruction))
                return true;
            if (jumps_directly(instruction.flow) && instruction.target > after && instruction.target < before)
                return true;
        }
    }
    return false;
}

}  // namespace farcall::preload
