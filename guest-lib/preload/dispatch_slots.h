// SPDX-License-Identifier: MIT
#pragma once

#include "guest-lib/preload/dispatch.h"

namespace farcall::preload {

/// The slot of the site (or of the trap) that a dispatched call came from, by the address behind it. False:
/// there is none.
bool find_served(u64 behind, u64& call, u64& spawn);

}  // namespace farcall::preload
