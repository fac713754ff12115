// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "guest-lib/aem/state.h"

namespace farcall::aem {

/// Calls the handlers of all that has happened, one after the other, until nothing is left and all channels
/// are armed; or leaves word with the thread that does so now. Async-signal-safe.
void run_handlers();

/// The same for who has `running`; at most `most`. Returns how many handlers were called.
int drain(int most);

/// A handler's call, with its arguments.
struct Upcall {
    Kind kind;
    void (*handler)();
    int ed;
    int sockfd;
    int value;  ///< newfd, error, state, bytes
    long expirations;
    char* data;
};
void invoke(const Upcall& upcall);

/// For who delivers a node, which is in no list any more. False: its descriptor is over, and with it the
/// node; or there is nothing to tell. checked: a state was looked at before.
bool begin_delivery(uint32_t node, bool checked, Upcall* out);
/// Gives back what belongs to the node, ends the registration if that was its last event.
void end_delivery(uint32_t node, uint64_t handler_ns, bool forked);

}  // namespace farcall::aem
