// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include "guest-lib/init/config.h"

namespace farcall::init {

/// The command's process and our ends of its streams, all non-blocking. -1: there is none. On a terminal `in`
/// and `out` are two descriptors of its master and there is no `err`.
struct Child {
    pid_t pid = -1;
    int in = -1;
    int out = -1;
    int err = -1;
};

/// Starts the command in a session of its own, with the configured ids, directory and environment. What goes
/// wrong after the fork is reported on the command's own stderr, with the exit status that a shell would
/// give. 0 or -errno.
int start_child(const Config& config, Child& out);

}  // namespace farcall::init
