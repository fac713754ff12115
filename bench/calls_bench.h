// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "bench/run.h"

namespace farcall::bench {

/// What a system call that stays where it is costs an unmodified program more, under the preload library and
/// through farcall-exec. Needs no VM. Throws farcall::Error.
Report measure_calls(const Options& options);

/// Empty where the programs that it starts are there, else which is missing.
std::string calls_unavailable();

}  // namespace farcall::bench
