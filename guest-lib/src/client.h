// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <mutex>

#include <farcall/farcall.h>
#include <farcall/ring.h>

#include "guest-lib/src/extents.h"
#include "guest-lib/src/transport.h"

struct farcall_client {
    std::unique_ptr<farcall::client::Transport> transport;
    /// A page that the kernel clears in a forked child: 1 in the process that opened the client.
    const uint32_t* owner = nullptr;
    uint32_t id_batch = 0;
    uint32_t variables = 0;
    std::mutex lock;  ///< guards what follows
    farcall::client::Extents arena;
    uint64_t* variable_bits = nullptr;  ///< one per variable, set: in use

    bool owned() const { return *static_cast<const volatile uint32_t*>(owner) == 1; }
};

struct farcall_channel {
    farcall_client* client = nullptr;
    farcall::client::Rings rings;
    fc_ring_header* header = nullptr;
    fc_command* commands = nullptr;  ///< the shared ring
    std::byte* events = nullptr;
    fc_command* staged = nullptr;  ///< private: prepared, not yet posted
    uint32_t command_slots = 0;
    uint32_t event_slots = 0;
    uint32_t event_size = 0;
    uint32_t staged_count = 0;
    uint32_t command_tail = 0;  ///< next command to publish
    uint32_t command_head = 0;  ///< commands before this one have surely left the ring
    uint32_t event_head = 0;    ///< next event to read
    uint32_t completed = 0;     ///< commands whose last event was read: event_head without the shots
    bool shots = false;  ///< a multishot command may be in flight, so there may be more events than slots
    uint32_t idle_polls = 0;
    uint32_t awaited_priority = 0;  ///< sum over the commands in flight that wake us
    bool dead = false;
    uint64_t spin_ns = 0;
    uint64_t next_id = 0;
    uint64_t end_id = 0;
    farcall_counters counters{};

    fc_event* event_slot(uint32_t index) const {
        return fc_event_slot(events, event_slots - 1, event_size, index);
    }
    /// Commands whose last event has not been read.
    uint32_t in_flight() const { return command_tail - completed; }
    bool event_waits() const {
        fc_event ignored;
        return fc_event_read(event_slot(event_head), event_head, &ignored) != 0;
    }
    /// Looks at the header's status and the transport; true when the channel will never give another event.
    bool look_dead();
};
