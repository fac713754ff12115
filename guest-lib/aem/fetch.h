// SPDX-License-Identifier: MIT
// From the host's events to events of descriptors, and the end of these. All inside of a Section.
#pragma once

#include <cstdint>

namespace farcall::aem {

/// Reads what is in a channel's ring without looking at it: how many events.
int pull(uint32_t channel);

/// Takes events from all rings, as many as there is room for in the ready queue, and arms what waits for it.
/// Nothing is lost by leaving the rest: the host keeps shots for which there is no slot.
void fetch_all();

/// Asks for a signal from each channel that has none coming. True: events are there after all, fetch again.
bool arm_channels();

/// Arms one in any case, and takes back what it was told before. Not inside of a Section.
void arm_channel(uint32_t channel);

/// Ends a registration and those below it: nothing of it is delivered any more.
void end_descriptor(uint32_t slot);
/// Frees it when nothing is left of it.
void release_if_over(uint32_t slot);

/// An event for a descriptor: into the ready queue, or to those that are held while it is stopped.
void enqueue(uint32_t slot, int32_t result, uint32_t buffer, bool last);
/// Held events become ready.
void release_held(uint32_t slot);
/// Queued events change their place to that of the descriptor's new priority.
void requeue(uint32_t slot, uint8_t priority);

/// The end of the stream is handled: who waits to hear that the peer has closed hears it now.
void let_close_go(uint32_t socket);

}  // namespace farcall::aem
