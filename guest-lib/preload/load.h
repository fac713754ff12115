// SPDX-License-Identifier: MIT
// Statically linked programs, mapped into this process as the kernel would do it.
#pragma once

#include "guest-lib/preload/object.h"

namespace farcall::preload {

/// A statically linked program that execve() would run as it is: no interpreter, no other user's rights. `fd`
/// is open on it.
bool is_static_program(int fd);
bool is_static_program(const char* path);

struct LoadedProgram {
    u64 base = 0;     ///< added to its addresses
    u64 entry = 0;    ///< in this process
    u64 headers = 0;  ///< AT_PHDR
    u64 header_count = 0;
};

/// Maps it and prepares its code for dispatch. False: there is no place for it, and nothing is mapped.
bool load_program(int fd, const char* path, LoadedProgram& out);

}  // namespace farcall::preload
