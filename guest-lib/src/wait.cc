// SPDX-License-Identifier: MIT
#include <cerrno>
#include <ctime>

#include "guest-lib/src/client.h"

namespace {

int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

void pause_core() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

bool spin(const farcall_channel& channel, int64_t budget_ns) {
    const int64_t end = now_ns() + budget_ns;
    do {
        for (int i = 0; i < 32; i++) {
            if (channel.event_waits()) return true;
            pause_core();
        }
    } while (now_ns() < end);
    return false;
}

/// Arms the channel and looks once more: 1 when an event is there, 0 when it is right to sleep, -EPIPE.
int arm(farcall_channel& channel) {
    // For the guest's scheduler: what this sleep is worth. Before arming, which orders it.
    fc_store_relaxed(&channel.header->awaited_priority, channel.awaited_priority);
    fc_arm(&channel.header->client_armed);
    if (channel.event_waits()) {
        fc_disarm(&channel.header->client_armed);
        return 1;
    }
    if (fc_load_acquire(&channel.header->status) != FC_CHANNEL_OK) channel.dead = true;
    if (!channel.dead) return 0;
    fc_disarm(&channel.header->client_armed);
    // The status may have been written right behind a last event.
    return channel.event_waits() ? 1 : -EPIPE;
}

int sleep_once(farcall_channel& channel, int64_t timeout_ns) {
    if (int rc = arm(channel); rc != 0) return rc;
    if (timeout_ns == 0) {
        fc_disarm(&channel.header->client_armed);
        return -ETIME;
    }
    channel.counters.sleeps++;
    const int rc = channel.client->transport->sleep(channel.rings, timeout_ns, channel.counters.system_calls);
    fc_disarm(&channel.header->client_armed);
    if (channel.event_waits()) return 1;
    if (rc == -EPIPE || rc == -ENODEV) channel.dead = true;
    return channel.dead ? -EPIPE : rc;
}

}  // namespace

int farcall_wait(farcall_channel* channel, int64_t timeout_ns) {
    if (!channel->client->owned()) return -EPERM;
    if (channel->event_waits()) return 0;
    if (channel->dead) return -EPIPE;
    const int64_t end = timeout_ns > 0 ? now_ns() + timeout_ns : 0;
    if (channel->spin_ns != 0 && timeout_ns != 0) {
        const auto budget = static_cast<int64_t>(channel->spin_ns);
        if (spin(*channel, timeout_ns > 0 && timeout_ns < budget ? timeout_ns : budget)) return 0;
    }
    for (;;) {
        int64_t left = timeout_ns;
        if (timeout_ns > 0) {
            left = end - now_ns();
            if (left < 0) left = 0;
        }
        const int rc = sleep_once(*channel, left);
        if (rc != 0) return rc > 0 ? 0 : rc;
    }
}

void farcall_set_taken(farcall_channel* channel, unsigned priority) {
    if (channel->client->owned()) fc_store_relaxed(&channel->header->taken_priority, priority);
}

void farcall_set_spin(farcall_channel* channel, uint64_t ns) {
    channel->spin_ns = ns > 1'000'000'000ull ? 1'000'000'000ull : ns;
}

int farcall_channel_fd(farcall_channel* channel) {
    return channel->rings.fd.get();
}

int farcall_channel_arm(farcall_channel* channel) {
    if (!channel->client->owned()) return -EPERM;
    // First take back old interrupts, then arm: one raised in between stays readable.
    if (channel->client->transport->drain(channel->rings, channel->counters.system_calls) < 0)
        channel->dead = true;
    return arm(*channel);
}

void farcall_get_counters(farcall_channel* channel, farcall_counters* out) {
    *out = channel->counters;
}

int farcall_channel_status(farcall_channel* channel) {
    if (!channel->client->owned()) return -EPERM;
    return static_cast<int>(fc_load_acquire(&channel->header->status));
}

fc_ring_header* farcall_channel_header(farcall_channel* channel) {
    return channel->client->owned() ? channel->header : nullptr;
}
