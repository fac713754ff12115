// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>

#include <farcall/control.h>

#include "guest-lib/src/client.h"

using namespace farcall::client;

namespace {

constexpr uint32_t kDefaultCommandSlots = 64;
constexpr uint32_t kDefaultEventSlots = 256;
/// Polls that find nothing between looks at whether the host is still there: rare enough to cost nothing.
constexpr uint32_t kStatusPolls = 1u << 12;
constexpr uint32_t kAlivePolls = 1u << 16;

int set_up(farcall_channel& channel, uint32_t flags) {
    const ChannelShape shape{channel.command_slots, channel.event_slots, channel.event_size, flags};
    channel.staged = static_cast<fc_command*>(std::calloc(channel.command_slots, sizeof(fc_command)));
    if (channel.staged == nullptr) return -ENOMEM;
    if (int rc = channel.client->transport->create_channel(shape, channel.rings); rc < 0) return rc;
    channel.header = reinterpret_cast<fc_ring_header*>(channel.rings.memory);
    channel.commands = reinterpret_cast<fc_command*>(channel.rings.memory + FC_COMMANDS_OFFSET);
    channel.events = channel.rings.memory + fc_events_offset(channel.command_slots);
    channel.counters = {};
    return 0;
}

/// Free slots, staged commands already taken off. Two bounds: an event slot for each command in flight, and
/// command slots that the worker has emptied. Completed commands have left the ring, so most of the time the
/// host's line is not read.
uint32_t free_slots(farcall_channel& channel, uint32_t wanted) {
    const uint32_t next = channel.command_tail + channel.staged_count;
    const uint32_t events = channel.event_slots - (next - channel.completed);
    const auto slots = [&] { return channel.command_slots - (next - channel.command_head); };
    if (static_cast<int32_t>(channel.completed - channel.command_head) > 0)
        channel.command_head = channel.completed;
    if (slots() < wanted && events >= wanted) {
        const uint32_t head = fc_load_acquire(&channel.header->command_head);
        // Believed only if it can be true: between what we knew and what we posted.
        if (head - channel.command_head <= channel.command_tail - channel.command_head)
            channel.command_head = head;
    }
    return std::min(events, slots());
}

void publish(farcall_channel& channel, const fc_command& command) {
    fc_command_publish(channel.commands, channel.command_slots - 1, channel.command_tail, &command);
    channel.command_tail++;
    if ((command.flags & FC_F_QUIET) == 0) channel.awaited_priority += command.priority;
    channel.counters.posts++;
    if ((command.flags & FC_F_MULTISHOT) != 0) channel.shots = true;
}

void ring(farcall_channel& channel) {
    channel.counters.doorbells++;
    if (channel.client->transport->ring_doorbell(channel.rings, channel.counters.system_calls) < 0)
        channel.dead = true;
}

void notify(farcall_channel& channel) {
    if (fc_doorbell_needed(channel.header, channel.command_tail)) ring(channel);
}

/// Gives the slots of events that were read back. Shots may have used up all of them, and then the worker
/// sleeps until it is told: PROTOCOL.md, section 5, the second rule.
void give_slots_back(farcall_channel& channel) {
    if (!channel.shots) {
        fc_store_release(&channel.header->event_head, channel.event_head);
        return;
    }
    if (fc_credit_doorbell_needed(channel.header, channel.event_head)) ring(channel);
    channel.shots = channel.in_flight() != 0;
}

/// Reads events into `out`, a pointer to fc_event or fc_event_ts.
template <typename Event>
int read_events(farcall_channel& channel, Event* out, uint32_t max) {
    uint32_t count = 0;
    for (; count < max; count++, channel.event_head++) {
        const fc_event* slot = channel.event_slot(channel.event_head);
        fc_event event;
        if (!fc_event_read(slot, channel.event_head, &event)) break;
        if ((event.flags & FC_E_MORE) == 0) channel.completed++;
        if ((event.flags & (FC_E_QUIET | FC_E_MORE)) == 0) channel.awaited_priority -= event.priority;
        if constexpr (sizeof(Event) == sizeof(fc_event_ts)) {
            const auto* larger = reinterpret_cast<const fc_event_ts*>(slot);
            out[count].event = event;
            out[count].picked_up = fc_load_relaxed(&larger->picked_up);
            out[count].started_after = fc_load_relaxed(&larger->started_after);
            out[count].completed_after = fc_load_relaxed(&larger->completed_after);
        } else {
            out[count] = event;
        }
    }
    if (count > 0) {
        channel.idle_polls = 0;
        channel.counters.events += count;
        give_slots_back(channel);
        return static_cast<int>(count);
    }
    if (channel.dead) return -EPIPE;
    if (++channel.idle_polls % kStatusPolls == 0 && channel.look_dead() && !channel.event_waits())
        return -EPIPE;
    return 0;
}

}  // namespace

bool farcall_channel::look_dead() {
    if (fc_load_acquire(&header->status) != FC_CHANNEL_OK) dead = true;
    // A server that was killed wrote no status; its end of the socket tells.
    if (!dead && idle_polls % kAlivePolls == 0 && client->transport->drain(rings, counters.system_calls) < 0)
        dead = true;
    return dead;
}

int farcall_channel_create(farcall_client* client, unsigned command_slots, unsigned event_slots,
                           unsigned flags, farcall_channel** out) {
    *out = nullptr;
    if (!client->owned()) return -EPERM;
    if (command_slots == 0) command_slots = kDefaultCommandSlots;
    if (event_slots == 0) event_slots = kDefaultEventSlots;
    if (!fc_ring_sizes_ok(command_slots, event_slots) || (flags & ~FC_CHANNEL_TIMESTAMPS) != 0)
        return -EINVAL;
    auto* channel = new (std::nothrow) farcall_channel;
    if (channel == nullptr) return -ENOMEM;
    channel->client = client;
    channel->command_slots = command_slots;
    channel->event_slots = event_slots;
    channel->event_size = (flags & FC_CHANNEL_TIMESTAMPS) != 0 ? sizeof(fc_event_ts) : sizeof(fc_event);
    if (int rc = set_up(*channel, flags); rc < 0) {
        std::free(channel->staged);
        delete channel;
        return rc;
    }
    *out = channel;
    return 0;
}

void farcall_channel_destroy(farcall_channel* channel) {
    if (channel == nullptr) return;
    channel->client->transport->destroy_channel(channel->rings, channel->client->owned());
    std::free(channel->staged);
    delete channel;
}

int farcall_post(farcall_channel* channel, const fc_command* command) {
    if (!channel->client->owned()) return -EPERM;
    if (channel->dead) return -EPIPE;
    if (free_slots(*channel, 1) == 0) return -EAGAIN;
    if (channel->staged_count != 0) farcall_submit(channel);
    publish(*channel, *command);
    notify(*channel);
    return 0;
}

fc_command* farcall_prepare(farcall_channel* channel) {
    if (!channel->client->owned() || channel->dead) return nullptr;
    if (channel->staged_count == channel->command_slots || free_slots(*channel, 1) == 0) return nullptr;
    return &channel->staged[channel->staged_count++];
}

int farcall_submit(farcall_channel* channel) {
    if (!channel->client->owned()) return -EPERM;
    if (channel->dead) return -EPIPE;
    const uint32_t count = channel->staged_count;
    if (count == 0) return 0;
    for (uint32_t i = 0; i < count; i++)
        publish(*channel, channel->staged[i]);
    channel->staged_count = 0;
    notify(*channel);
    return static_cast<int>(count);
}

unsigned farcall_space(farcall_channel* channel) {
    if (!channel->client->owned() || channel->dead) return 0;
    return free_slots(*channel, channel->command_slots);
}

unsigned farcall_in_flight(farcall_channel* channel) {
    return channel->in_flight();
}

int farcall_poll(farcall_channel* channel, fc_event* out, unsigned max) {
    return channel->client->owned() ? read_events(*channel, out, max) : -EPERM;
}

int farcall_poll_ts(farcall_channel* channel, fc_event_ts* out, unsigned max) {
    if (!channel->client->owned()) return -EPERM;
    if (channel->event_size != sizeof(fc_event_ts)) return -EINVAL;
    return read_events(*channel, out, max);
}

fc_u64 farcall_event_id(farcall_channel* channel) {
    if (channel->next_id == channel->end_id) {
        if (!channel->client->owned()) return 0;
        uint32_t got = 0;
        channel->counters.system_calls++;
        if (channel->client->transport->event_ids(channel->client->id_batch, channel->next_id, got) < 0) {
            channel->next_id = channel->end_id;
            return 0;
        }
        channel->end_id = channel->next_id + got;
    }
    return channel->next_id++;
}
