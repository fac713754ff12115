// SPDX-License-Identifier: MIT
#pragma once

#include "guest-lib/preload/call.h"

namespace farcall::preload {

/// socket() of the Internet families: the device is asked for one; when it has none to give, the guest's
/// kernel is.
Action on_socket(Call& call);

}  // namespace farcall::preload
