// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "bench/bench_guest.h"
#include "host-lib/engine.h"

namespace farcall::bench {

/// The real engine behind the guest's channels, the plain one and the timed one: one worker, one client, no
/// device in between.
class EngineRig {
  public:
    /// The worker is pinned to `worker_core`. `share`: a directory to read files from, or empty.
    /// Create it before pinning the calling thread: threads inherit the affinity. Throws farcall::Error.
    EngineRig(BenchGuest& guest, int worker_core, const std::string& share);
    ~EngineRig();
    EngineRig(const EngineRig&) = delete;
    EngineRig& operator=(const EngineRig&) = delete;

    EngineStats stats() const { return engine_->stats(); }
    /// Opens a file of the share for reading.
    uint32_t open(const std::string& name);

  private:
    void connect();
    void add_channel(const GuestChannel& channel);

    BenchGuest& guest_;
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<Domain> domain_;
    ClientId client_ = 0;
};

}  // namespace farcall::bench
