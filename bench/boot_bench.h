// SPDX-License-Identifier: MIT
#pragma once

#include "bench/run.h"

namespace farcall::bench {

/// How long `farcall run` takes until a command of the guest speaks, and to end after it; and what memory the
/// monitor needs beside the guest's. Beside QEMU's microvm with the same kernel and the smallest of systems.
/// Throws farcall::Error.
Report measure_boot(const Options& options);

/// Empty where VMs can be booted, else why not.
std::string boot_unavailable();

}  // namespace farcall::bench
