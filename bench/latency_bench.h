// SPDX-License-Identifier: MIT
#pragma once

#include "bench/run.h"

namespace farcall::bench {

/// Where the time of a command goes, by the time stamps of its event: posted → picked up → started →
/// completed → seen, with doorbells, sleeps and exits beside. Client: the bare guest, and a host thread.
/// Throws farcall::Error where there is no usable KVM.
Report measure_latency(const Options& options);

}  // namespace farcall::bench
