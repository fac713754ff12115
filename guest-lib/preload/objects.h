// SPDX-License-Identifier: MIT
// Which objects are loaded and patched.
#pragma once

#include "guest-lib/preload/call.h"
#include "guest-lib/preload/patch.h"

namespace farcall::preload {

/// All objects that are loaded now; the caller is the only thread.
void patch_loaded_objects();

/// mmap of a file that the program may execute: the call is made, and the new code patched before anybody can
/// run it.
Action on_mmap(Call& call);
/// The slots of an object that goes away are free again.
Action on_munmap(Call& call);

/// No more system calls of our own than needed: the program has restricted itself (seccomp).
void stop_patching();

}  // namespace farcall::preload
