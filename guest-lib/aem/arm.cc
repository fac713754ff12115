// SPDX-License-Identifier: MIT
#include "guest-lib/aem/arm.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <farcall/prep.h>

#include "guest-lib/aem/fetch.h"
#include "guest-lib/aem/notifier.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/state.h"

namespace farcall::aem {

namespace {

constexpr unsigned kCommandSlots = 256;
/// Event slots of a channel that are not for registrations, but for what ends them and for buffers that go
/// back.
constexpr unsigned kSpareSlots = 64;
constexpr unsigned kFirstSlots = 1024;
constexpr uint64_t kMinPeriod = 1000;

/// What has to change on a socket for one of these to come true: others may, too.
unsigned poll_mask(const Descriptor& d) {
    if (d.kind == Kind::kClose) return POLLRDHUP;
    if (d.kind == Kind::kSocketState) return d.state.wanted == SS_CONNECTED ? POLLOUT : 0;
    return d.state.wanted == 1 /* TCP_ESTABLISHED */ ? POLLOUT : POLLRDHUP;
}

int fill_timer(fc_command& command, Descriptor& d, uint32_t slot) {
    const uint64_t now = now_ns();
    // Cancelled to be armed anew (another priority): the clock goes on. Otherwise it starts.
    const uint64_t first = d.timer.due > now ? d.timer.due - now : d.timer.interval;
    const bool late = d.timer.due != 0 && d.timer.due <= now;
    d.timer.id = farcall_event_id(g.channels[d.channel].channel);
    if (d.timer.id == 0) return -EAGAIN;
    if (!g.timers.insert(d.timer.id, slot)) return -ENOMEM;
    if (d.timer.period == 0)
        farcall_prep_timer(&command, late ? 0 : first, 0);
    else
        farcall_prep_timer_periodic(&command, late ? 0 : first, std::max(d.timer.period, kMinPeriod), 0);
    d.timer.due = now + (late ? 0 : first);
    farcall_set_id(&command, d.timer.id);
    return 0;
}

int fill(fc_command& command, Descriptor& d, uint32_t slot) {
    if (d.kind == Kind::kTimer) return fill_timer(command, d, slot);
    const uint32_t handle = g.sockets.at(d.socket).handle;
    switch (d.kind) {
        case Kind::kAccept:
            farcall_prep_accept(&command, handle);
            break;
        case Kind::kRead:
            farcall_prep_recv_pool(&command, handle, g.pool_handle, d.read.most);
            break;
        default:
            farcall_prep_poll(&command, handle, poll_mask(d));
            break;
    }
    // A close is heard of once. A state may take several changes, and polls of what is so already must not
    // repeat.
    const bool once = (d.flags & EVF_ONESHOT) != 0 && (d.kind == Kind::kAccept || d.kind == Kind::kRead);
    if (!once && d.kind != Kind::kClose) farcall_add_flags(&command, FC_F_MULTISHOT);
    farcall_set_data(&command, slot);
    return 0;
}

}  // namespace

int post(uint32_t channel, const fc_command& command) {
    for (;;) {
        const int rc = farcall_post(g.channels[channel].channel, &command);
        if (rc == -EPIPE) g.dead_seen = true;
        if (rc != -EAGAIN) return rc;
        // The worker takes commands whatever we do, unless its event ring is full of what we have not read.
        // We cannot sleep in the channel: that would disarm it, and nobody would be told of the next event.
        if (pull(channel) > 0) {
            if (!in_handler()) notifier().raise();
            continue;
        }
        const timespec little{0, 50'000};
        ::nanosleep(&little, nullptr);
    }
}

void post_housekeeping(uint32_t channel, fc_command& command) {
    farcall_set_data(&command, kHousekeeping);
    static_cast<void>(post(channel, command));
}

int arm(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    if (!d.started || d.ended || d.armed || d.finishing || d.waiting) return 0;
    fc_command command;
    if (int rc = fill(command, d, slot); rc < 0) return rc;
    farcall_set_priority(&command, d.priority);
    if (int rc = post(d.channel, command); rc < 0) {
        if (d.kind == Kind::kTimer) g.timers.erase(d.timer.id);
        return rc;
    }
    d.armed = true;
    d.ending = false;
    return 0;
}

void arm_later(uint32_t slot, bool starved) {
    Descriptor& d = g.descriptors.at(slot);
    if (d.waiting) return;
    d.waiting = true;
    d.starved = starved;
    d.next_waiting = kNone;
    (g.waiting_head == kNone ? g.waiting_head : g.descriptors.at(g.waiting_tail).next_waiting) = slot;
    g.waiting_tail = slot;
}

void settle() {
    // As many of the starved ones as there are buffers, the longest waiting first: all at once would mostly
    // fail again.
    uint32_t buffers = g.buffers_free;
    uint32_t slot = g.waiting_head;
    g.waiting_head = g.waiting_tail = kNone;
    while (slot != kNone) {
        Descriptor& d = g.descriptors.at(slot);
        const uint32_t next = d.next_waiting;
        d.waiting = false;
        if (d.starved && buffers == 0 && !d.ended) {
            arm_later(slot, true);
        } else {
            if (d.starved && !d.ended) buffers--;
            d.starved = false;
            if (arm(slot) == -EAGAIN) arm_later(slot, false);
            release_if_over(slot);
        }
        slot = next;
    }
}

void disarm(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    if (!d.armed || d.ending) return;
    d.ending = true;
    fc_command command;
    if (d.kind == Kind::kTimer)
        farcall_prep_cancel(&command, d.timer.id);
    else
        farcall_prep_cancel_handle(&command, g.sockets.at(d.socket).handle);
    post_housekeeping(d.channel, command);
}

void return_buffer(uint32_t buffer) {
    fc_command command;
    farcall_prep_buffer_return(&command, g.pool_handle, buffer);
    g.buffer_use[buffer] = BufferUse::kHost;
    g.buffers_free++;
    post_housekeeping(0, command);
}

void close_handle(uint32_t handle) {
    fc_command command;
    farcall_prep_close(&command, handle);
    post_housekeeping(0, command);
}

int add_channel() {
    const uint32_t count = g.channel_count.load();
    if (count == kMaxChannels) return -EMFILE;
    farcall_info info{};
    if (int rc = farcall_get_info(g.client, &info); rc < 0) return rc;
    const unsigned slots = std::min(count == 0 ? kFirstSlots : FC_MAX_EVENT_SLOTS, info.max_event_slots);
    EventChannel& made = g.channels[count];
    if (int rc = farcall_channel_create(g.client, std::min(kCommandSlots, info.max_command_slots), slots, 0,
                                        &made.channel);
        rc < 0)
        return rc;
    made.most = slots > 2 * kSpareSlots ? slots - kSpareSlots : slots / 2;
    g.channel_count.store(count + 1);
    if (int rc = notifier().watch(farcall_channel_fd(made.channel)); rc < 0) return rc;
    // Nobody reads it before there is a reason to: so it gives one.
    return farcall_channel_arm(made.channel) < 0 ? -EPIPE : 0;
}

int choose_channel() {
    for (;;) {
        // The last one is the emptiest.
        const uint32_t count = g.channel_count.load();
        for (uint32_t i = count; i-- > 0;) {
            const EventChannel& channel = g.channels[i];
            const uint32_t used = channel.registrations;
            if (used >= channel.most) continue;
            if (i + 1 == count && used == channel.most / 2) notifier().grow();
            return static_cast<int>(i);
        }
        if (in_handler()) return -EAGAIN;
        if (int rc = add_channel(); rc < 0) return rc;
    }
}

}  // namespace farcall::aem
