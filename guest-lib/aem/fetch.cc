// SPDX-License-Identifier: MIT
#include "guest-lib/aem/fetch.h"

#include <cerrno>

#include <farcall/ring.h>

#include "guest-lib/aem/arm.h"
#include "guest-lib/aem/relations.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/state.h"

namespace farcall::aem {

namespace {

constexpr unsigned kBatch = 64;

/// What an event brings that must not be lost, and must be given back when nobody wants it.
bool has_buffer(const fc_event& event) {
    return (event.flags & FC_E_BUFFER) != 0;
}

void discard(Kind kind, const fc_event& event) {
    if (has_buffer(event)) return_buffer(FC_RESULT_BUFFER(event.result));
    if (kind == Kind::kAccept && event.result > 0) close_handle(static_cast<uint32_t>(event.result));
}

/// A reader that is still to deliver what came before the end.
bool data_may_come(const SocketEntry& socket) {
    for (uint32_t slot = socket.first; slot != kNone; slot = g.descriptors.at(slot).next_on_socket) {
        const Descriptor& d = g.descriptors.at(slot);
        if (d.kind == Kind::kRead && !d.ended) return true;
    }
    return false;
}

void peer_closed(uint32_t slot, int32_t ready) {
    Descriptor& d = g.descriptors.at(slot);
    d.close.error = ready < 0 ? ready : 0;
    if (ready >= 0 && data_may_come(g.sockets.at(d.socket))) {
        d.close.kept_back = true;
        d.finishing = true;
        return;
    }
    enqueue(slot, d.close.error, kNone, true);
}

void payload(uint32_t slot, const fc_event& event, bool last) {
    Descriptor& d = g.descriptors.at(slot);
    if (d.kind == Kind::kClose) return peer_closed(slot, event.result);
    if (d.kind == Kind::kTimer) {
        d.timer.due = now_ns() + d.timer.period;
        return enqueue(slot, event.result > 0 ? event.result : 1, kNone, last || (d.flags & EVF_ONESHOT));
    }
    if (has_buffer(event)) {
        const auto bytes = static_cast<int32_t>(FC_RESULT_BYTES(event.result));
        return enqueue(slot, bytes, FC_RESULT_BUFFER(event.result), last);
    }
    enqueue(slot, event.result, kNone, last);
}

/// The last event of a descriptor's command. True: it tells the program something.
bool command_over(uint32_t slot, const fc_event& event) {
    Descriptor& d = g.descriptors.at(slot);
    d.armed = false;
    d.ending = false;
    if (d.kind == Kind::kTimer) g.timers.erase(d.timer.id);
    if (d.ended) return false;
    if (event.result == -ENOBUFS && d.kind == Kind::kRead) {
        d.stats.starved++;
        arm_later(slot, true);
        return false;
    }
    if (event.result == -ECANCELED) {
        if (d.started) arm_later(slot, false);
        return false;
    }
    return true;
}

void on_event(const fc_event& event) {
    uint32_t slot = static_cast<uint32_t>(event.id);
    if (event.flags & FC_E_ID)
        slot = g.timers.find(event.id);
    else if (event.id == kHousekeeping)
        return;
    if (slot == kNone || !g.descriptors.contains(slot)) return;
    Descriptor& d = g.descriptors.at(slot);
    if (d.kind == Kind::kFree || (has_buffer(event) && FC_RESULT_BUFFER(event.result) >= g.options.buffers))
        return;
    if (has_buffer(event)) {
        g.buffer_use[FC_RESULT_BUFFER(event.result)] = BufferUse::kQueued;
        g.buffers_free--;
    }
    const bool more = (event.flags & FC_E_MORE) != 0;
    const bool tells = more || command_over(slot, event);
    if (d.ended || d.finishing) {
        // Of a state or a timer that has fired: one too many. Data and connections end their descriptors in
        // order.
        discard(d.kind, event);
        release_if_over(slot);
    } else if (tells) {
        payload(slot, event, !more);
    }
}

void the_host_is_gone() {
    g.dead = true;
    g.dead_seen = false;
    g.waiting_head = g.waiting_tail = kNone;
    for (uint32_t slot = 0; slot < g.descriptors.size(); slot++) {
        Descriptor& d = g.descriptors.at(slot);
        if (d.kind == Kind::kFree) continue;
        d.armed = d.waiting = false;
        if (d.kind == Kind::kClose && d.close.kept_back && !d.ended) {
            d.close.kept_back = d.finishing = false;
        }
        if (d.ended)
            release_if_over(slot);
        else if (!d.finishing)
            enqueue(slot, -EPIPE, kNone, true);
    }
}

int read_some(uint32_t channel, fc_event* events) {
    const int count = farcall_poll(g.channels[channel].channel, events, kBatch);
    if (count < 0) g.dead_seen = true;
    return count;
}

void fetch_raw() {
    while (!g.raw.empty() && g.ready.size() < kReadyMost) {
        const uint32_t slot = g.raw.head;
        const fc_event event = g.nodes.at(slot).event;
        unlink(g.nodes, g.raw, slot);
        g.nodes.release(slot);
        on_event(event);
    }
}

}  // namespace

int pull(uint32_t channel) {
    fc_event events[kBatch];
    const int count = read_some(channel, events);
    for (int i = 0; i < count; i++) {
        const uint32_t slot = g.nodes.allocate();
        if (slot == kNone) __builtin_trap();  // a page of memory, between us and a lost event
        g.nodes.at(slot).event = events[i];
        append(g.nodes, g.raw, slot);
    }
    return count;
}

void fetch_all() {
    fetch_raw();
    const uint32_t channels = g.channel_count.load();
    for (uint32_t i = 0; i < channels && !g.dead; i++) {
        fc_event events[kBatch];
        int count = 1;
        while (count > 0 && g.raw.empty() && g.ready.size() < kReadyMost) {
            count = read_some(i, events);
            for (int at = 0; at < count; at++) {
                // Posting may have put newer events there: these are older, and of a ring that was not full.
                on_event(events[at]);
            }
        }
    }
    if (g.dead_seen && !g.dead && g.raw.empty()) the_host_is_gone();
    if (!g.dead) settle();
}

bool arm_channels() {
    if (g.dead) return false;
    if (!g.raw.empty()) return true;
    const uint32_t channels = g.channel_count.load();
    for (uint32_t i = 0; i < channels; i++) {
        farcall_channel* channel = g.channels[i].channel;
        // Still armed from before: the host sees that when it writes the next event, and we have read all
        // others.
        if (fc_load_relaxed(&farcall_channel_header(channel)->client_armed) != 0) continue;
        const int rc = farcall_channel_arm(channel);
        if (rc < 0) g.dead_seen = true;
        if (rc != 0) return true;
    }
    return false;
}

void arm_channel(uint32_t channel) {
    const Section section;
    if (farcall_channel_arm(g.channels[channel].channel) < 0) g.dead_seen = true;
}

void enqueue(uint32_t slot, int32_t result, uint32_t buffer, bool last) {
    Descriptor& d = g.descriptors.at(slot);
    const uint32_t at = g.nodes.allocate();
    if (at == kNone) __builtin_trap();
    Node& node = g.nodes.at(at);
    node.descriptor = slot;
    node.arrival = g.arrivals++;
    node.result = result;
    node.buffer = buffer;
    node.last = last;
    node.event = {};
    d.finishing |= last;
    d.stats.queued++;
    if (d.started || g.dead)
        g.ready.push(g.nodes, at, d.priority);
    else
        append(g.nodes, d.held, at);
}

void release_held(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    while (!d.held.empty()) {
        const uint32_t node = d.held.head;
        unlink(g.nodes, d.held, node);
        g.ready.push(g.nodes, node, d.priority);
    }
}

void let_close_go(uint32_t socket) {
    for (uint32_t slot = g.sockets.at(socket).first; slot != kNone;
         slot = g.descriptors.at(slot).next_on_socket) {
        Descriptor& d = g.descriptors.at(slot);
        if (d.kind != Kind::kClose || !d.close.kept_back || d.ended) continue;
        d.close.kept_back = false;
        enqueue(slot, d.close.error, kNone, true);
    }
}

}  // namespace farcall::aem
