// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <farcall/farcall.h>

namespace farcall::aem {

/// A channel and some shared memory for one command that is waited for. Whoever calls has one for itself, so
/// nobody takes another's event or interrupt, not even a handler that interrupted its own thread in such a
/// wait.
struct Call {
    static constexpr uint32_t kStaging = 64 << 10;

    farcall_channel* channel = nullptr;
    char* staging = nullptr;  ///< kStaging bytes of the arena
    uint64_t offset = 0;      ///< of staging
    Call* next = nullptr;
};

/// The right to use one. A handler gets the one that is kept for handlers (there is one handler at a time),
/// others get a new one if they must: that takes malloc().
class CallLease {
  public:
    CallLease();
    ~CallLease();
    CallLease(const CallLease&) = delete;
    CallLease& operator=(const CallLease&) = delete;
    /// 0 or -errno.
    int error() const { return error_; }
    Call& operator*() const { return *call_; }
    Call* operator->() const { return call_; }
    /// Posts and waits as long as it takes; handlers may run meanwhile. The event's result; -EPIPE.
    int run(const fc_command& command) const;

  private:
    Call* call_ = nullptr;
    int error_ = 0;
};

/// Makes the handlers' one.
int open_calls();
/// Destroys them; nobody uses one.
void close_calls();

/// A command that needs no staging.
int run_command(const fc_command& command);

}  // namespace farcall::aem
