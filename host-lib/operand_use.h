// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <farcall/abi.h>

namespace farcall {

/// Does the command, as far as its 64 bytes say, use this handle: as its first one, or as its second one in
/// `region` (COPY, SENDFILE) or `offset` (RENAME, LINK; RECV: the pool)? A handle that will come from a
/// variable is not known before the command starts. The opcode must be below FC_OP_COUNT.
bool uses_handle(const fc_command& command, uint32_t handle);

/// Are all handles and regions that the command uses known from its 64 bytes? False: some come from variables
/// or from structs in the arena.
bool operands_known(const fc_command& command);

/// Does the command name this region? Only for those of which operands_known() says true.
bool uses_region(const fc_command& command, uint32_t key);

}  // namespace farcall
