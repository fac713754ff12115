// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace farcall {

/// What a suspended command waits for: a socket's readiness, a server's reply, the next period. Owned by its
/// client, used and destroyed by its worker only. Its destructor gives up: it must leave nothing behind that
/// could complete the command.
class Waiter {
  public:
    Waiter() = default;
    virtual ~Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    /// Event slots may be free again after Client::shot() found none.
    virtual void on_credit() {}
    /// The time that Client::set_timer() gave has come; now: CLOCK_MONOTONIC ns.
    virtual void on_timer(uint64_t) {}
};

}  // namespace farcall
