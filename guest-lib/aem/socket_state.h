// SPDX-License-Identifier: MIT
#pragma once

#include "guest-lib/aem/state.h"

namespace farcall::aem {

/// Asks the host: is the socket in the state `wanted` of that kind, or has it been? Waits; not inside of a
/// Section.
bool socket_is(int fd, Kind kind, int wanted);
/// Can a descriptor of that kind wait for it? 0, -EOPNOTSUPP.
int check_state(Kind kind, int wanted);

}  // namespace farcall::aem
