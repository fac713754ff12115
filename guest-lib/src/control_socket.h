// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>

#include <farcall/control.h>

#include "guest-lib/src/transport.h"

namespace farcall::client {

/// The control connection to a local server: one request and its answer at a time. Thread-safe.
class ControlSocket {
  public:
    int connect(const char* path);

    /// Sends `control` (with `fd` if not -1) and replaces it by the answer. Returns the answer's status, or
    /// -EPIPE when the server is gone (and from then on), -EPROTO when it answered something else. A
    /// descriptor in the answer goes to *answer_fd, or is closed.
    int request(fc_control& control, int fd, Fd* answer_fd);

  private:
    int exchange(fc_control& control, int fd, Fd& answer_fd);

    std::mutex lock_;
    Fd socket_;
    bool dead_ = false;
};

}  // namespace farcall::client
