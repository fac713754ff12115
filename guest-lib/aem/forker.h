// SPDX-License-Identifier: MIT
// Handlers with EVF_FORK. The process is made by the notifier's thread, or by farcall_dispatch(): both are in
// ordinary code, so malloc() and stdio are in order in the child, whatever the handlers' thread was
// interrupted in.
#pragma once

namespace farcall::aem {

/// There are events in State::forks. Async-signal-safe.
void wake_forker();
/// Makes their processes, in order. False: the system gives no process now; try again.
bool serve_forks();
bool forks_wait();

}  // namespace farcall::aem
