// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace farcall::init {

/// Makes a block device of a file, by the kernel's loop driver. `module`s are loaded. Returns the device's
/// path. Throws std::runtime_error.
std::string attach_image(const std::string& file, bool writable);

/// Ends all other processes, and brings the root file system, which lies in the image attached as `device`,
/// into the state that it has when it was unmounted: all that was written is in the host's file, and on its
/// disk. Throws std::runtime_error where something of it is not.
void settle_image(const std::string& device);

}  // namespace farcall::init
