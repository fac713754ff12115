// SPDX-License-Identifier: MIT
#include "host-lib/operand_use.h"

#include "host-lib/ops.h"

namespace farcall {
namespace {

bool names_second_in_region(const fc_command& command) {
    return (op_info(command.opcode).flags & FC_F_VAR_REGION) != 0;
}

bool names_second_in_offset(const fc_command& command) {
    switch (command.opcode) {
        case FC_OP_RENAME:
        case FC_OP_LINK:
            return true;
        case FC_OP_RECV:
            return (command.op_flags & FC_MSG_POOL) != 0;
        default:
            return false;
    }
}

// `handle` is an object that the op works on, not a result or the subject of a cancel.
bool names_first(const fc_command& command) {
    return (op_info(command.opcode).flags & FC_F_VAR_HANDLE) != 0 && command.opcode != FC_OP_REPLY &&
           command.opcode != FC_OP_CANCEL;
}

}  // namespace

bool uses_handle(const fc_command& command, uint32_t handle) {
    const uint16_t flags = command.flags;
    if (names_first(command) && !(flags & FC_F_VAR_HANDLE) && command.handle == handle) return true;
    if (names_second_in_region(command) && !(flags & FC_F_VAR_REGION) && command.region == handle)
        return true;
    return names_second_in_offset(command) && !(flags & FC_F_VAR_OFFSET) && command.offset == handle;
}

bool operands_known(const fc_command& command) {
    if (command.flags & (FC_F_VAR_HANDLE | FC_F_VAR_REGION)) return false;
    switch (command.opcode) {
        case FC_OP_NOP:
        case FC_OP_OPEN:
        case FC_OP_CLOSE:
        case FC_OP_READ:
        case FC_OP_WRITE:
        case FC_OP_FSYNC:
        case FC_OP_STAT:
        case FC_OP_TIMER:
        case FC_OP_EVENT_SET:
        case FC_OP_CANCEL:
        case FC_OP_FTRUNCATE:
        case FC_OP_UNLINK:
        case FC_OP_MKDIR:
        case FC_OP_FALLOCATE:
        case FC_OP_COPY:
        case FC_OP_SENDFILE:
            return true;
        default:
            return false;
    }
}

bool uses_region(const fc_command& command, uint32_t key) {
    return !names_second_in_region(command) && command.region == key;
}

}  // namespace farcall
