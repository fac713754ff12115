// SPDX-License-Identifier: MIT
// Statically linked programs, inside farcall-exec: every call outside of this image arrives as SIGSYS
// (Syscall User Dispatch), and sites that are proven to be code are patched beforehand, so that calls that
// nobody asks for never do.
//
// The program's own stack may be tiny (Go's are), so nothing of the library runs on it: a slot sends what is
// asked for to a system call instruction outside of this image, which is dispatched, and the handler runs on
// the signal stack that the program has set up. A call that shall just be made is made by the site's slot,
// when the handler has returned: so clone, vfork and sigreturn mean what they always mean.
#pragma once

#include "guest-lib/preload/call.h"
#include "guest-lib/preload/object.h"

namespace farcall::preload {

/// Slots for all sites of the segment, and patches where that is proven right. False: it is as it was.
bool prepare_segment(const Object& object, const Elf64_Phdr& segment, u64 base, int protection,
                     const char* name);

/// From here on this thread's calls are dispatched, and those of the threads and children that it starts.
/// False: the kernel cannot.
bool start_dispatch();

}  // namespace farcall::preload
