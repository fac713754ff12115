// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "host-lib/ops.h"

namespace farcall {

// Rows of the op table.
int64_t op_serve(Client& client, Task& task, const Operands& operands);
int64_t op_service_open(Client& client, Task& task, const Operands& operands);
int64_t op_call(Client& client, Task& task, const Operands& operands);
int64_t op_reply(Client& client, Task& task, const Operands& operands);

}  // namespace farcall
