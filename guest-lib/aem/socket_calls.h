// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace farcall::aem {

/// Of a socket's number: the host's handle. nonblocking may be null. 0, -EBADF, or what opening the
/// connection gave.
int find_handle(int fd, uint32_t* handle, bool* nonblocking);
/// As the C library tells it: rc, or -1 with errno.
int finish(int rc);
/// Something to accept or to read is there.
bool socket_ready(uint32_t handle);

}  // namespace farcall::aem
