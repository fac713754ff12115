// SPDX-License-Identifier: MIT
// A server's side of a service: one SERVE command on a channel of its own, its shots, and the replies.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>

#include "guest-lib/src/client.h"

using namespace farcall::client;

// What the events of the channel carry.
enum : uint64_t { kServeData = 1, kReplyData = 2, kProbeData = 3 };

struct farcall_service {
    farcall_client* client = nullptr;
    farcall_channel* channel = nullptr;
    farcall_region memory{};
    std::byte* words = nullptr;  ///< arena: struct fc_serve and the name
    uint32_t slots = 0;
    uint32_t slot_bytes = 0;
    uint32_t* taken = nullptr;  ///< slots that hold calls which next() has not returned yet: a ring
    uint32_t taken_head = 0;
    uint32_t taken_count = 0;
    bool probed = false;
    int ended = 0;  ///< the SERVE command's result, once it is over
};

namespace {

constexpr size_t kNameOffset = sizeof(fc_serve);

int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

uint32_t round_up_to_power_of_two(uint32_t n) {
    uint32_t power = FC_MIN_SLOTS;
    while (power < n)
        power *= 2;
    return power;
}

void take_event(farcall_service& service, const fc_event& event) {
    if (event.id == kProbeData) service.probed = true;
    if (event.id != kServeData) return;
    if ((event.flags & FC_E_MORE) == 0) {
        service.ended = event.result < 0 ? event.result : -EPIPE;
        return;
    }
    // The host names a slot once until its reply, so there is room; a host that lies harms only what it owns
    // anyway.
    const auto slot = static_cast<uint32_t>(event.result);
    if (slot >= service.slots || service.taken_count == service.slots) return;
    service.taken[(service.taken_head + service.taken_count++) % service.slots] = slot;
}

/// Reads what events there are. -EPIPE.
int take_events(farcall_service& service) {
    fc_event events[32];
    const int count = farcall_poll(service.channel, events, 32);
    for (int i = 0; i < count; i++)
        take_event(service, events[i]);
    return std::min(count, 0);
}

int post(farcall_service& service, const fc_command& command) {
    for (;;) {
        int rc = farcall_post(service.channel, &command);
        if (rc != -EAGAIN) return rc;
        rc = take_events(service);
        if (rc == 0) rc = farcall_wait(service.channel, -1);
        if (rc < 0 && rc != -EINTR) return rc;
    }
}

/// Posts SERVE, and a nop behind it: when the nop is over, SERVE has either failed or begun.
int start(farcall_service& service, const char* name, size_t length) {
    auto* layout = reinterpret_cast<fc_serve*>(service.words);
    *layout = {{0, service.memory.key, service.slots * service.slot_bytes}, service.slot_bytes, 0};
    std::memcpy(service.words + kNameOffset, name, length);
    const uint64_t at = farcall_arena_offset(service.client, service.words);
    fc_command command;
    farcall_prep_serve(&command, 0, at + kNameOffset, static_cast<uint32_t>(length), at);
    farcall_set_data(&command, kServeData);
    if (int rc = post(service, command); rc < 0) return rc;
    farcall_prep_nop(&command, 0);
    farcall_set_data(&command, kProbeData);
    if (int rc = post(service, command); rc < 0) return rc;
    while (!service.probed) {
        int rc = take_events(service);
        if (rc == 0 && !service.probed) rc = farcall_wait(service.channel, -1);
        if (rc < 0 && rc != -EINTR) return rc;
    }
    return service.ended;
}

int set_up(farcall_service& service, const char* name, size_t length) {
    service.taken = static_cast<uint32_t*>(std::calloc(service.slots, sizeof(uint32_t)));
    if (service.taken == nullptr) return -ENOMEM;
    service.words = static_cast<std::byte*>(farcall_arena_alloc(service.client, kNameOffset + length, 8));
    if (service.words == nullptr) return -ENOMEM;
    const uint64_t bytes = static_cast<uint64_t>(service.slots) * service.slot_bytes;
    if (int rc = farcall_region_alloc(service.client, bytes, &service.memory); rc < 0) return rc;
    // An event slot for each call in hand and for its reply: the host never has to wait for us.
    const uint32_t commands = std::min(round_up_to_power_of_two(service.slots + 2), FC_MAX_COMMAND_SLOTS);
    const uint32_t events = round_up_to_power_of_two(service.slots + commands + 2);
    if (int rc = farcall_channel_create(service.client, commands, events, 0, &service.channel); rc < 0)
        return rc;
    return start(service, name, length);
}

}  // namespace

int farcall_service_create(farcall_client* client, const char* name, unsigned slots, unsigned request_bytes,
                           farcall_service** out) {
    *out = nullptr;
    const size_t length = std::strlen(name);
    if (length == 0 || length > FC_MAX_SERVICE_NAME || slots == 0 || slots > FC_MAX_SERVICE_SLOTS ||
        request_bytes > FC_MAX_CALL_BYTES)
        return -EINVAL;
    auto* service = new (std::nothrow) farcall_service;
    if (service == nullptr) return -ENOMEM;
    service->client = client;
    service->slots = slots;
    service->slot_bytes = (static_cast<uint32_t>(sizeof(fc_call)) + request_bytes + 63) / 64 * 64;
    if (int rc = set_up(*service, name, length); rc < 0) {
        farcall_service_destroy(service);
        return rc;
    }
    *out = service;
    return 0;
}

void farcall_service_destroy(farcall_service* service) {
    if (service == nullptr) return;
    farcall_channel_destroy(service->channel);  // ends SERVE, which lets go of the memory
    if (service->memory.base != nullptr) farcall_region_free(service->client, &service->memory);
    if (service->words != nullptr) farcall_arena_free(service->client, service->words);
    std::free(service->taken);
    delete service;
}

int farcall_service_next(farcall_service* service, farcall_request* out, fc_s64 timeout_ns) {
    const int64_t end = timeout_ns > 0 ? now_ns() + timeout_ns : 0;
    int rc = take_events(*service);
    while (service->taken_count == 0) {
        if (service->ended != 0) return service->ended;
        if (rc < 0) return rc;
        fc_s64 left = timeout_ns;
        if (timeout_ns > 0) left = end - now_ns();
        if (timeout_ns > 0 && left <= 0) return 0;
        rc = farcall_wait(service->channel, left);
        if (rc == -ETIME) return 0;
        if (rc == 0) rc = take_events(*service);
    }
    const uint32_t slot = service->taken[service->taken_head];
    service->taken_head = (service->taken_head + 1) % service->slots;
    service->taken_count--;
    std::byte* at =
        static_cast<std::byte*>(service->memory.base) + static_cast<uint64_t>(slot) * service->slot_bytes;
    fc_call call;
    std::memcpy(&call, at, sizeof(call));
    const uint32_t room = service->slot_bytes - static_cast<uint32_t>(sizeof(call));
    *out = {call.token,    call.kind,         call.op, call.client, call.argument, std::min(call.bytes, room),
            call.capacity, at + sizeof(call), room,    slot};
    return 1;
}

int farcall_service_reply(farcall_service* service, const farcall_request* request, int result,
                          unsigned bytes) {
    if (bytes > request->room || bytes > request->capacity) return -EMSGSIZE;
    const uint64_t at = static_cast<uint64_t>(request->slot) * service->slot_bytes + sizeof(fc_call);
    fc_command command;
    farcall_prep_reply(&command, request->token, result, service->memory.key, at, bytes);
    farcall_set_data(&command, kReplyData);
    farcall_add_flags(&command, FC_F_QUIET);
    return post(*service, command);
}

farcall_channel* farcall_service_channel(farcall_service* service) {
    return service->channel;
}
