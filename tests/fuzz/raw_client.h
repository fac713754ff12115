// SPDX-License-Identifier: MIT
#pragma once

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include <farcall/ring.h>

#include "host-lib/engine.h"
#include "host-lib/unique_fd.h"

namespace farcall {

constexpr uint32_t kArenaBytes = 1 << 16;
constexpr uint32_t kCommandSlots = 16;
constexpr uint32_t kEventSlots = 16;
constexpr uint64_t kChannelBytes = 8192;

[[noreturn]] inline void broken(const char* what) {
    std::fprintf(stderr, "broken promise: %s\n", what);
    std::abort();
}

inline ControlResult call(const std::function<void(ControlDone)>& request) {
    return Engine::wait_for(request);
}

/// Memory of one client. It outlives the client and is reused by the next one: the host may not notice.
struct Memory {
    std::byte* base;
    uint64_t bytes;

    explicit Memory(uint64_t size) : bytes(size) {
        base = static_cast<std::byte*>(
            mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    }
    void fill(int value) { std::memset(base, value, bytes); }
    bool is_all(std::byte value) const {
        return std::all_of(base, base + bytes, [value](std::byte b) { return b == value; });
    }
};

/// A client with rings. The hostile one and the bystander differ in who writes into its memory.
class RawClient {
  public:
    RawClient(Domain& domain, Memory& arena, Memory& channel) : domain_(domain), channel_memory_(channel) {
        arena.fill(0);
        channel.fill(0);
        const ControlResult made = call([&](ControlDone done) { domain.create_client({}, done); });
        if (made.status != 0) broken("a client can be created");
        id = static_cast<ClientId>(made.value);
        const RegionConfig config{{{arena.base, arena.bytes}}, FC_REGION_ARENA | FC_REGION_WRITE, nullptr};
        call([&](ControlDone done) { domain.add_region(id, config, done); });
        ids = call([&](ControlDone done) { domain.allocate_ids(id, FC_ID_BLOCK, done); }).value;
        add_channel();
    }

    void add_channel() {
        ChannelConfig config;
        config.memory = channel_memory_.base;
        config.bytes = channel_memory_.bytes;
        config.command_slots = kCommandSlots;
        config.event_slots = kEventSlots;
        config.interrupt_fd = interrupt_.get();
        channel = static_cast<ChannelId>(
            call([&](ControlDone done) { domain_.create_channel(id, config, done); }).value);
        tail = 0;
        event_head = 0;
    }
    void remove_channel() {
        call([&](ControlDone done) { domain_.destroy_channel(id, channel, done); });
    }
    void destroy() {
        if (call([&](ControlDone done) { domain_.destroy_client(id, done); }).status != 0)
            broken("a client can be destroyed");
    }

    fc_ring_header* header() const { return reinterpret_cast<fc_ring_header*>(channel_memory_.base); }
    fc_command* commands() const {
        return reinterpret_cast<fc_command*>(channel_memory_.base + FC_COMMANDS_OFFSET);
    }
    void post(const fc_command& command) {
        fc_command_publish(commands(), kCommandSlots - 1, tail++, &command);
        static_cast<void>(fc_doorbell_needed(header(), tail));
        ring();
    }
    void ring() const {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = write(domain_.doorbell_fd(id), &one, sizeof(one));
    }
    /// Takes the next event, if there is one.
    bool take(fc_event* out) {
        const std::byte* events = channel_memory_.base + fc_events_offset(kCommandSlots);
        auto* base = const_cast<std::byte*>(events);
        const fc_event* slot = fc_event_slot(base, kEventSlots - 1, sizeof(fc_event), event_head);
        if (!fc_event_read(slot, event_head, out)) return false;
        event_head++;
        fc_store_release(&header()->event_head, event_head);
        return true;
    }

    ClientId id = 0;
    ChannelId channel = 0;
    uint64_t ids = 0;
    uint32_t tail = 0;
    uint32_t event_head = 0;

  private:
    Domain& domain_;
    Memory& channel_memory_;
    UniqueFd interrupt_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

}  // namespace farcall
