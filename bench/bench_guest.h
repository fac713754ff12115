// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/payload/run.h"
#include "vmm/bare_guest.h"

namespace farcall::bench {

/// A channel's memory inside the bare guest. Guest and host threads may use it as clients in turn, never
/// together.
struct GuestChannel {
    static constexpr uint32_t kCommandSlots = 256;
    static constexpr uint32_t kEventSlots = 256;
    uint64_t bytes() const;

    uint64_t address = 0;         ///< in the guest
    bool timed = false;           ///< FC_CHANNEL_TIMESTAMPS
    std::byte* memory = nullptr;  ///< the same, seen from the host
    uint32_t command_index = 0;
    uint32_t event_head = 0;
};

/// What to measure; the rest of a bench_run follows from the channel and the side.
struct Request {
    uint32_t test = BENCH_PING;
    uint32_t count = 1;
    uint32_t depth = 1;
    uint32_t chunk = 1;
    uint32_t buffer_stride = 0;
    fc_command command{};
};

enum class Side { kGuest, kHost };

/// The bare guest with the payload in it and the memory that a bench needs: channels, an arena, samples.
class BenchGuest {
  public:
    static constexpr uint32_t kMaxSamples = 1u << 18;
    static constexpr uint32_t kMaxTimed = kMaxSamples * 4 / sizeof(bench_timed);
    static constexpr uint64_t kArenaBytes = 1u << 20;

    explicit BenchGuest(double ticks_per_ns);

    GuestChannel& engine_channel() { return engine_channel_; }
    GuestChannel& bare_channel() { return bare_channel_; }
    GuestChannel& timed_channel() { return timed_channel_; }
    std::byte* arena() { return guest_.memory() + kArena; }
    vmm::BareGuest& machine() { return guest_; }

    /// The eventfd that both sides ring; -1: none (a worker that never sleeps).
    void set_doorbell(int eventfd);
    int doorbell() const { return doorbell_; }

    /// Runs `request` on `channel` in the guest or in the calling thread. Returns the samples, in ticks.
    /// Throws farcall::Error when a command fails or no event comes.
    std::vector<uint32_t> run(GuestChannel& channel, Side side, const Request& request);
    /// The same for BENCH_TIMED and BENCH_TIMED_SLEEPING, on the timed channel.
    std::vector<bench_timed> run_timed(Side side, const Request& request);

    /// Result of the last command of the last run().
    int32_t last_result() const { return last_result_; }
    uint64_t doorbells() const { return doorbells_; }
    uint64_t exits() const { return guest_.exits(); }

  private:
    static constexpr uint64_t kRun = vmm::BareGuest::kDataAddress;
    static constexpr uint64_t kSamples = kRun + 0x10000;
    static constexpr uint64_t kEngineChannel = kSamples + uint64_t{kMaxSamples} * 4;
    static constexpr uint64_t kBareChannel = kEngineChannel + 0x20000;
    static constexpr uint64_t kTimedChannel = kBareChannel + 0x20000;
    static constexpr uint64_t kArena = kTimedChannel + 0x20000;
    static constexpr uint64_t kMemoryBytes = 8u << 20;
    static_assert(kArena + kArenaBytes <= kMemoryBytes);

    bench_run fill(const GuestChannel& channel, Side side, const Request& request) const;
    void execute(bench_run& run, Side side);
    void run_on(GuestChannel& channel, Side side, const Request& request);
    GuestChannel make_channel(uint64_t address, bool timed = false);

    double ticks_per_ns_;
    vmm::BareGuest guest_;
    GuestChannel engine_channel_;
    GuestChannel bare_channel_;
    GuestChannel timed_channel_;
    int doorbell_ = -1;
    int32_t last_result_ = 0;
    uint64_t doorbells_ = 0;
};

}  // namespace farcall::bench
