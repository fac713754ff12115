// SPDX-License-Identifier: MIT
#pragma once

#include "bench/run.h"

namespace farcall::bench {

/// Commands of a process in a VM with a kernel: where their time goes, polling and sleeping on both sides,
/// with doorbells, wake-ups and VM exits; beside system calls of the guest's own. Throws farcall::Error.
Report measure_vm(const Options& options);

}  // namespace farcall::bench
