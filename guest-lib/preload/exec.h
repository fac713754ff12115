// SPDX-License-Identifier: MIT
// Programs that the program executes, and what restricts it.
#pragma once

#include "guest-lib/preload/call.h"

namespace farcall::preload {

/// Hands the library and its variables on, whatever environment the program made, unless that has
/// FARCALL_PRELOAD=off.
Action on_execve(Call& call);
Action on_execveat(Call& call);

/// A program that restricts its own system calls gets none of ours any more than it must.
Action on_prctl(Call& call);
Action on_seccomp(Call& call);

}  // namespace farcall::preload
