// SPDX-License-Identifier: MIT
// What a forked child must not take over from its parent. The kernel hands it a page of zeros instead
// (MADV_WIPEONFORK), whichever way it was forked; threads and vforked children share the page.
#pragma once

#include "guest-lib/preload/basic.h"

namespace farcall::preload {

struct ForkState {
    u32 patching;  ///< thread that changes the table of objects
    u32 owner;     ///< the process whose memory this is
};

extern ForkState* fork_state;

/// False: no memory.
bool make_fork_state();

/// Whether this is a vforked child, in its parent's memory but with descriptors and restrictions of its own:
/// what is known about those here stays the parent's.
bool in_vforked_child();

/// A lock that a dead holder does not keep, for moments without system calls that can wait. Not recursive:
/// lock() by the holder itself (in a signal handler) fails.
bool lock(u32& word);
void unlock(u32& word);

}  // namespace farcall::preload
