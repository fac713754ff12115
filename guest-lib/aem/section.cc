// SPDX-License-Identifier: MIT
#include "guest-lib/aem/section.h"

#include <cerrno>
#include <new>

#include "guest-lib/aem/run.h"

namespace farcall::aem {

namespace {

// initial-exec: dynamic TLS may be allocated at first use, which a signal handler must not do.
[[gnu::tls_model("initial-exec")]] thread_local volatile int depth = 0;
[[gnu::tls_model("initial-exec")]] thread_local volatile sig_atomic_t owed = 0;
[[gnu::tls_model("initial-exec")]] thread_local volatile int handlers = 0;

std::mutex state_lock;

void leave() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    depth = depth - 1;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    // A signal right here runs handlers itself and leaves nothing owed.
    if (depth == 0 && owed != 0) {
        owed = 0;
        const int saved = errno;
        run_handlers();
        errno = saved;
    }
}

}  // namespace

Running running;

void defer() {
    depth = depth + 1;
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

void undefer() {
    if (depth > 0) leave();
}

Section::Section() {
    defer();
    state_lock.lock();
}

Section::~Section() {
    state_lock.unlock();
    leave();
}

bool in_handler() {
    return handlers != 0;
}

InHandler::InHandler() {
    handlers = handlers + 1;
}

InHandler::~InHandler() {
    handlers = handlers - 1;
}

void on_signal(int, siginfo_t*, void*) {
    if (depth != 0) {
        owed = 1;
        return;
    }
    const int saved = errno;
    run_handlers();
    errno = saved;
}

void reset_sections() {
    depth = 0;
    owed = 0;
    handlers = 0;
    new (&state_lock) std::mutex;
    new (&running) Running;
}

}  // namespace farcall::aem
