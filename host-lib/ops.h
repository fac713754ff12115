// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "host-lib/task.h"

namespace farcall {

class Client;

/// Returned by an op that will complete later.
inline constexpr int64_t kPending = INT64_MIN;

/// The operands of a command after its variables have been read, once.
struct Operands {
    uint64_t handle = 0;
    uint64_t offset = 0;
    uint64_t buffer = 0;
    uint32_t length = 0;
    uint64_t handle2 = 0;  ///< from the field `region`, for ops with a second handle
};

/// One row of the op table.
struct OpInfo {
    const char* name;
    uint16_t flags;    ///< FC_F_* that it takes
    uint64_t used[8];  ///< bits of the command's eight words that may be non-zero
    /// Starts the op on the worker. Returns its result, -errno, or kPending after it has arranged for a later
    /// completion. Never blocks.
    int64_t (*start)(Client& client, Task& task, const Operands& operands);
};

/// The row of an opcode that is below FC_OP_COUNT.
const OpInfo& op_info(uint8_t opcode);

/// 0; -EOPNOTSUPP: unknown opcode; -EINVAL: an unknown flag, a flag or a field that the op does not use.
int check_command(const fc_command& command);

}  // namespace farcall
