// SPDX-License-Identifier: MIT
// What happens to a call that comes into the library: its handler first, then counting and tracing.
#pragma once

#include "guest-lib/preload/call.h"

namespace farcall::preload {

/// Asked before the table's handlers, when set: what only a dispatched program needs.
extern Action (*serve_first)(u32 number, Call& call);

/// Once, in the first program of a run: what the others find there.
void begin_run();
/// Sets up tracing and counting as configured, and which calls come into the library at all.
void start_watching();

/// The program will be killed for calls that it does not expect: from now on only counting in memory.
void stop_own_calls();

/// Calls that touch descriptors come into the library: it has one to hide.
void watch_descriptors();

}  // namespace farcall::preload
