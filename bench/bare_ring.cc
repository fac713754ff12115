// SPDX-License-Identifier: MIT
#include "bench/bare_ring.h"

#include "bench/cores.h"
#include "bench/host_client.h"

namespace farcall::bench {
namespace {

constexpr uint32_t kBurst = 64;

/// Answers what is there, at most a burst. Returns the new head.
uint32_t serve_burst(const fc_command* commands, void* events, uint32_t head) {
    for (uint32_t i = 0; i < kBurst && fc_command_ready(commands, GuestChannel::kCommandSlots - 1, head);
         i++, head++) {
        fc_command command;
        fc_command_copy(commands, GuestChannel::kCommandSlots - 1, head, &command);
        fc_event* slot = fc_event_slot(events, GuestChannel::kEventSlots - 1, sizeof(fc_event), head);
        fc_event_publish(slot, head, command.id, 0, command.priority, 0);
    }
    return head;
}

}  // namespace

BareRing::BareRing(const GuestChannel& channel, int core)
    : thread_([this, core, memory = channel.memory, head = channel.command_index] {
          pin_thread(core);
          serve(memory, head);
      }) {}

BareRing::~BareRing() {
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
}

void BareRing::serve(std::byte* memory, uint32_t head) {
    auto* header = reinterpret_cast<fc_ring_header*>(memory);
    const auto* commands = reinterpret_cast<const fc_command*>(memory + FC_COMMANDS_OFFSET);
    void* events = memory + fc_events_offset(GuestChannel::kCommandSlots);
    while (!stop_.load(std::memory_order_relaxed)) {
        const uint32_t next = serve_burst(commands, events, head);
        if (next == head) {
            bench_pause();
            continue;
        }
        head = next;
        fc_store_relaxed(&header->command_head, head);
        fc_store_relaxed(&header->event_tail, head);
    }
}

}  // namespace farcall::bench
