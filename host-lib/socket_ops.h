// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "host-lib/ops.h"

namespace farcall {

class MemorySpans;
struct File;
struct Socket;

// Rows of the op table.
int64_t op_socket(Client& client, Task& task, const Operands& operands);
int64_t op_bind(Client& client, Task& task, const Operands& operands);
int64_t op_listen(Client& client, Task& task, const Operands& operands);
int64_t op_accept(Client& client, Task& task, const Operands& operands);
int64_t op_connect(Client& client, Task& task, const Operands& operands);
int64_t op_send(Client& client, Task& task, const Operands& operands);
int64_t op_recv(Client& client, Task& task, const Operands& operands);
int64_t op_sendmsg(Client& client, Task& task, const Operands& operands);
int64_t op_recvmsg(Client& client, Task& task, const Operands& operands);
int64_t op_shutdown(Client& client, Task& task, const Operands& operands);
int64_t op_getsockopt(Client& client, Task& task, const Operands& operands);
int64_t op_setsockopt(Client& client, Task& task, const Operands& operands);
int64_t op_getsockname(Client& client, Task& task, const Operands& operands);
int64_t op_getpeername(Client& client, Task& task, const Operands& operands);
int64_t op_poll(Client& client, Task& task, const Operands& operands);

/// READ, WRITE and their vectored forms on a socket: recv and send without flags. `offset` must be
/// FC_OFFSET_CURRENT (-ESPIPE).
int64_t socket_read(Client& client, Task& task, uint64_t handle, uint64_t offset, MemorySpans memory);
int64_t socket_write(Client& client, Task& task, uint64_t handle, uint64_t offset, MemorySpans memory);

/// SENDFILE to a stream socket (-EINVAL: another); `file` is readable, the rest is checked as well.
int64_t socket_sendfile(Client& client, Task& task, uint64_t handle, std::shared_ptr<File> file,
                        int64_t offset, uint32_t length);

}  // namespace farcall
