// SPDX-License-Identifier: MIT
// The library's own descriptors: at high numbers, and closed for the program. It cannot close them, replace
// them or use them.
#pragma once

#include "guest-lib/preload/call.h"

namespace farcall::preload {

enum class Hidden : int { kTrace, kDevice, kCount };

/// Moves the descriptor to a high number of its own and hides it there; what `which` was before is closed.
/// -errno, and fd is as it was.
int hide(Hidden which, int fd, bool close_on_exec);
/// The descriptor is where the program before this one had hidden it.
void adopt(Hidden which, int fd);
/// It is not there any more; what has its number now is the program's.
void lose(Hidden which);
/// -1: there is none.
int hidden(Hidden which);

Action on_close(Call& call);
Action on_close_range(Call& call);
Action on_dup2(Call& call);  ///< and dup3
Action on_fcntl(Call& call);

}  // namespace farcall::preload
