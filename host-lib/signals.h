// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <signal.h>

namespace farcall {

/// Blocks every signal in the calling thread: signals are for the thread that runs main(), and a write to a
/// pipe that nobody reads must say EPIPE.
inline void block_all_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace farcall
