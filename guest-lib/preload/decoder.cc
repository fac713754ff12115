// SPDX-License-Identifier: MIT
#include "guest-lib/preload/decoder.h"

namespace farcall::preload {

namespace {

Flow flow_of(const ZydisDecodedInstruction& info) {
    const bool direct = info.raw.imm[0].is_relative != 0;
    switch (info.meta.category) {
        case ZYDIS_CATEGORY_COND_BR:
            return Flow::kConditional;
        case ZYDIS_CATEGORY_UNCOND_BR:
            return direct ? Flow::kJump : Flow::kIndirect;
        case ZYDIS_CATEGORY_CALL:
            return Flow::kCall;
        case ZYDIS_CATEGORY_RET:
            return Flow::kReturn;
        case ZYDIS_CATEGORY_SYSCALL:
        case ZYDIS_CATEGORY_SYSRET:
            return Flow::kSystemCall;
        case ZYDIS_CATEGORY_INTERRUPT:
            return Flow::kTrap;
        default:
            break;
    }
    switch (info.mnemonic) {
        case ZYDIS_MNEMONIC_UD0:
        case ZYDIS_MNEMONIC_UD1:
        case ZYDIS_MNEMONIC_UD2:
        case ZYDIS_MNEMONIC_HLT:
            return Flow::kTrap;
        default:
            return Flow::kNext;
    }
}

}  // namespace

Decoder::Decoder() {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

bool Decoder::decode(const u8* code, u64 room, u64 address, Instruction& out) const {
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder_, nullptr, code, room, &out.info))) return false;
    out.address = address;
    out.flow = flow_of(out.info);
    out.target = 0;
    if (out.info.raw.imm[0].is_relative != 0)
        out.target = address + out.info.length + static_cast<u64>(out.info.raw.imm[0].value.s);
    return true;
}

bool Decoder::writes_stack_pointer(const u8* code, u64 room) const {
    ZydisDecodedInstruction info;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, code, room, &info, operands))) return true;
    for (int i = 0; i < info.operand_count; i++) {
        const ZydisDecodedOperand& operand = operands[i];
        if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER ||
            (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0)
            continue;
        const ZydisRegister name = operand.reg.value;
        if (name == ZYDIS_REGISTER_RSP || name == ZYDIS_REGISTER_ESP || name == ZYDIS_REGISTER_SP ||
            name == ZYDIS_REGISTER_SPL)
            return true;
    }
    return false;
}

}  // namespace farcall::preload
