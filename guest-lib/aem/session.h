// SPDX-License-Identifier: MIT
#pragma once

namespace farcall::aem {

/// Opens the connection if there is none. 0 or -errno.
int ensure_open();

/// In a child: drops what was inherited, so that a connection of its own can be opened.
void forget_parent();

}  // namespace farcall::aem
