// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <farcall/ring.h>

#include "host-lib/engine.h"

namespace farcall::bench {

/// Anonymous memory, all pages present.
class Memory {
  public:
    explicit Memory(size_t bytes);
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    std::byte* data() const { return data_; }

  private:
    std::byte* data_;
    size_t bytes_;
};

/// The client's side of a channel, in a host thread. One thread at a time.
class HostChannel {
  public:
    HostChannel(std::byte* memory, uint32_t slots, int doorbell);

    /// Writes a command; announce() makes the worker look.
    void post(const fc_command& command) { fc_command_publish(commands_, mask_, tail_++, &command); }
    void announce();
    void ring() const;

    /// Takes the events that are there. Throws farcall::Error when a result is not `expected`.
    uint32_t reap(int32_t expected);
    /// Waits for at least one event and takes all that are there. Returns how many.
    uint32_t collect(int32_t expected);
    /// Waits for the only command in flight. Its result.
    int32_t result();

    /// The command of index i, to be posted.
    using Make = std::function<fc_command(uint32_t)>;
    /// `count` commands with `depth` in flight: ticks for each `chunk` of them; `chunk` divides `count`.
    std::vector<uint32_t> pipeline(uint32_t count, uint32_t depth, uint32_t chunk, int32_t expected,
                                   const Make& make);

  private:
    bool read(uint32_t index, fc_event* event) const {
        return fc_event_read(fc_event_slot(events_, mask_, sizeof(*event), index), index, event) != 0;
    }
    void give_back(uint32_t count) {
        head_ += count;
        fc_store_release(&header_->event_head, head_);
    }
    void wait() const;

    fc_ring_header* header_;
    fc_command* commands_;
    void* events_;
    uint32_t mask_;
    int doorbell_;
    uint32_t tail_ = 0;
    uint32_t head_ = 0;
};

/// An engine with one worker, and clients in this process: no VM, no device, no sockets.
class HostRig {
  public:
    static constexpr uint32_t kSlots = 256;
    static constexpr uint64_t kArenaBytes = 4u << 20;

    struct Options {
        int worker_core = 1;
        uint32_t clients = 1;
        uint32_t idle_channels = 0;  ///< of the first client, never used
        std::string share;           ///< a directory to read from, or empty
    };
    /// Create it before pinning the calling thread: threads inherit the affinity. Throws farcall::Error.
    explicit HostRig(const Options& options);
    ~HostRig();
    HostRig(const HostRig&) = delete;
    HostRig& operator=(const HostRig&) = delete;

    HostChannel& channel(uint32_t client = 0) { return clients_[client].channel; }
    /// Opens a file of the share for reading, for the first client.
    uint32_t open(const std::string& name);
    /// The first client's arena: kArenaBytes.
    std::byte* arena() const { return clients_[0].arena->data(); }
    /// The first of `count` event IDs of the first client that were not given out yet.
    uint64_t take_ids(uint32_t count);
    const Engine& engine() const { return *engine_; }

  private:
    struct One {
        ClientId id;
        std::unique_ptr<Memory> arena;
        std::unique_ptr<Memory> ring;
        HostChannel channel;
    };
    void connect();
    void add_channel(ClientId client, std::byte* memory, uint32_t slots);

    std::unique_ptr<Engine> engine_;
    std::unique_ptr<Domain> domain_;
    std::vector<One> clients_;
    std::unique_ptr<Memory> idle_;
    uint64_t next_id_ = 0;
    uint64_t end_of_ids_ = 0;
};

}  // namespace farcall::bench
