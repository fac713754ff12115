// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace farcall {

/// Makes faults of copy_or_fault() (SIGBUS: a file was cut short, a page of it can't be read) end that copy
/// instead of the process. What handled SIGBUS before still gets all others. The first call counts; any
/// thread.
void catch_copy_faults();

/// memcpy() from or to mapped files. Returns how many bytes were not copied: 0, unless there was a fault;
/// those copied are the first ones. After catch_copy_faults(); SIGBUS must not be blocked.
size_t copy_or_fault(void* to, const void* from, size_t bytes);

}  // namespace farcall
