// SPDX-License-Identifier: MIT
#include "host-lib/channel.h"

#include <unistd.h>

#include "host-lib/client.h"

namespace farcall {

Channel::Channel(ChannelId id, Client& client, ChannelConfig config, WorkerStats& stats)
    : id_(id),
      client_(client),
      config_(std::move(config)),
      stats_(stats),
      header_(reinterpret_cast<fc_ring_header*>(config_.memory)),
      commands_(reinterpret_cast<fc_command*>(config_.memory + FC_COMMANDS_OFFSET)),
      events_(config_.memory + fc_events_offset(config_.command_slots)),
      command_mask_(config_.command_slots - 1),
      event_mask_(config_.event_slots - 1),
      event_size_(config_.flags & FC_CHANNEL_TIMESTAMPS ? sizeof(fc_event_ts) : sizeof(fc_event)),
      event_limit_(config_.event_slots) {}

Channel::~Channel() {
    count_events();
    if (healthy()) close(FC_CHANNEL_CLOSED);
}

bool Channel::refresh_credit() {
    if (!healthy()) return false;
    const uint32_t event_head = fc_load_acquire(&header_->event_head);
    if (event_tail_ - event_head > event_mask_ + 1) {
        close(FC_CHANNEL_BAD_EVENT_HEAD);
        return false;
    }
    const uint32_t slots = event_mask_ + 1;
    const uint32_t free = event_head + slots - reserved_;
    if (free == 0 || free > slots) return false;  // an event head that went backwards gives no credit either
    event_limit_ = event_head + slots;
    return true;
}

void Channel::push_event(const fc_command& command, const Completion& completion) {
    if (!healthy()) return;
    fc_event* slot = fc_event_slot(events_, event_mask_, event_size_, event_tail_);
    uint8_t flags = completion.flags;
    if (command.flags & FC_F_QUIET) {
        flags |= FC_E_QUIET;
    } else {
        wake_ = true;
    }
    if (timestamps()) {
        auto* large = reinterpret_cast<fc_event_ts*>(slot);
        fc_store_relaxed(&large->picked_up, completion.picked_up);
        fc_store_relaxed(&large->started_after, completion.started_after);
        fc_store_relaxed(&large->completed_after, completion.completed_after);
    }
    fc_event_publish(slot, event_tail_, command.id, completion.result, command.priority, flags);
    event_tail_++;
    if (completion.result >= 0) return;
    stats_.errors.add();
    client_.stats().errors.add();
}

void Channel::flush() {
    dirty = false;
    fc_store_release(&header_->command_head, head_);  // after the last load from the slots that it frees
    fc_store_relaxed(&header_->event_tail, event_tail_);
    count_events();
    if (!wake_) return;
    wake_ = false;
    if (fc_interrupt_needed(header_)) interrupt();
}

// Once per batch and not per event: this is the path that everybody pays for.
void Channel::count_events() {
    const uint32_t count = event_tail_ - events_counted_;
    events_counted_ = event_tail_;
    stats_.events.add(count);
    client_.stats().events.add(count);
}

void Channel::interrupt() {
    fc_disarm(&header_->client_armed);
    stats_.interrupts.add();
    client_.stats().interrupts.add();
    const uint64_t one = 1;
    // Non-blocking by contract. A full socket or eventfd means that the client has a wake-up waiting already.
    [[maybe_unused]] const ssize_t n = write(config_.interrupt_fd, &one, sizeof(one));
}

bool Channel::arm() {
    if (!healthy()) return true;
    fc_arm(&header_->worker_armed);
    const uint32_t tail = fc_load_acquire(&header_->command_tail);
    // The tail follows the slots' seq, which is what commands are taken by: it may lag behind head_ by as
    // much as the client publishes before it stores its tail, and never by more than a ring either way.
    const uint32_t slots = command_mask_ + 1;
    if (tail - head_ + slots > 2 * slots) {
        close(FC_CHANNEL_BAD_TAIL);
        return true;
    }
    // A ready command that has no event slot does not keep the worker awake: the client rings when it has
    // read events.
    if ((!ready() && !starved()) || !has_credit()) return true;
    disarm();
    return false;
}

void Channel::close(fc_channel_status status) {
    if (status != FC_CHANNEL_CLOSED) stats_.poisoned.add();
    status_ = status;
    event_limit_ = reserved_;  // next() finds no credit any more
    fc_store_release(&header_->status, static_cast<uint32_t>(status));
    interrupt();
}

}  // namespace farcall
