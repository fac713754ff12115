// SPDX-License-Identifier: MIT
#pragma once

#include "guest-lib/init/config.h"

namespace farcall::init {

/// Makes the root file system that the configuration asks for the root, with this system's /dev, /proc, /sys
/// and a /tmp and /run of its own in it, then mounts the shares. The module is loaded. Throws
/// std::runtime_error that names what could not be mounted.
void mount_shares(const Config& config);

}  // namespace farcall::init
