// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "guest-lib/init/config.h"

namespace farcall::init {

/// Loads the modules, makes the root file system that the configuration asks for the root, with this system's
/// /dev, /proc, /sys and a /tmp and /run of its own in it, then mounts the shares. farcall.ko is loaded.
/// Returns the block device of a root that lies in an image, or nothing. Throws std::runtime_error that names
/// what could not be mounted.
std::string mount_shares(const Config& config);

}  // namespace farcall::init
