// SPDX-License-Identifier: MIT
#pragma once

#include "host-lib/memory_spans.h"
#include "host-lib/ops.h"
#include "host-lib/socket_address.h"

namespace farcall {

// Unix sockets live in shares: a path is relative to the directory `operands.offset` (a handle) and never
// leads out of it. Looking it up may block, so these run in the blocking pool. All return kPending, or
// -errno: -EPERM: an abstract name or none, the policy; -EBADF, -ENOTDIR: the directory.

/// Needs a writable share.
int64_t unix_bind(Client& client, Task& task, const Operands& operands, const SocketAddress& address);
int64_t unix_connect(Client& client, Task& task, const Operands& operands, const SocketAddress& address);
/// One datagram to a named socket. Does not wait for room in the receiver's queue (-EAGAIN).
int64_t unix_send_to(Client& client, Task& task, const Operands& operands, const SocketAddress& address,
                     MemorySpans memory, int flags);

}  // namespace farcall
