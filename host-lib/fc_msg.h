// SPDX-License-Identifier: MIT
#pragma once

#include "host-lib/memory_spans.h"
#include "host-lib/ops.h"

namespace farcall {

/// Copies the struct fc_msg of a command, and the struct fc_ancillary behind it, if it has one, once. Its
/// region in *region. -EINVAL: too short, ancillary data of another size; errors of memory.
int read_message(Client& client, const Task& task, const Operands& operands, bool host_writes, fc_msg* out,
                 fc_ancillary* ancillary, Region** region);

}  // namespace farcall
