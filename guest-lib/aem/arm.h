// SPDX-License-Identifier: MIT
// Commands to the host, for registrations. All inside of a Section.
#pragma once

#include <cstdint>

#include <farcall/abi.h>

namespace farcall::aem {

/// Posts on an event channel. When the ring has no room, events are read to make some, and kept for later.
/// -EPIPE.
int post(uint32_t channel, const fc_command& command);
/// Posts a command whose event tells nothing.
void post_housekeeping(uint32_t channel, fc_command& command);

/// Posts the descriptor's command, if it wants one: it is started, has none and is not about to end. -EPIPE,
/// -EAGAIN: no event ID.
int arm(uint32_t slot);
/// arm(), when it is time: at once, or if `starved` when there is a buffer for it.
void arm_later(uint32_t slot, bool starved);
/// Arms those for which it is time.
void settle();
/// Cancels its command. What else is in flight on its socket is cancelled with it, and armed anew as its last
/// event comes.
void disarm(uint32_t slot);

/// Gives a buffer of the pool back to the host.
void return_buffer(uint32_t buffer);
/// Closes a handle that nobody has heard of.
void close_handle(uint32_t handle);

/// A channel with room for one more registration, or -EAGAIN. Outside of handlers one is made if there is
/// none.
int choose_channel();
/// Makes one more channel for registrations. Not in handlers.
int add_channel();

}  // namespace farcall::aem
