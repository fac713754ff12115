// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <signal.h>

namespace farcall {

/// Blocks every signal in the calling thread: signals are for the thread that runs main(), and a write to a
/// pipe that nobody reads must say EPIPE. Not SIGBUS, which a copy from a mapped file may cause here,
/// whatever was inherited.
inline void block_all_signals() {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace farcall
