// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <thread>

#include "bench/bench_guest.h"

namespace farcall::bench {

/// The do-nothing worker: a thread that polls one channel, copies each command and answers it at once. No
/// checks, no ops, no sleep. What the ring costs by itself, and so the floor for the engine. Runs while the
/// object lives.
class BareRing {
  public:
    /// Serves `channel` from where it stands. The channel's memory must outlive the object.
    BareRing(const GuestChannel& channel, int core);
    ~BareRing();
    BareRing(const BareRing&) = delete;
    BareRing& operator=(const BareRing&) = delete;

  private:
    void serve(std::byte* memory, uint32_t head);

    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace farcall::bench
