// SPDX-License-Identifier: MIT
// What hangs on what: parents and children, and the descriptors of a socket. All inside of a Section.
#pragma once

#include <cstdint>

namespace farcall::aem {

/// Below the descriptor that accepted its socket, if that is still there.
void link_descriptor(uint32_t slot);
/// A new socket: its slot, or kNone. parent: the descriptor that accepted it, or kNone.
uint32_t add_socket(uint32_t handle, uint32_t parent);
/// Gives up an event that nobody wants: a node that is in no list.
void drop_node(uint32_t node);
/// Ends what is registered on it.
void end_socket(uint32_t socket);

}  // namespace farcall::aem
