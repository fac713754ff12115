// SPDX-License-Identifier: MIT
// Calls of a service, many at a time, until its server goes away: each of them must still complete.
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <set>

#include "guest-lib/demo/requests.h"

namespace farcall::demo {

namespace {

constexpr unsigned kAtOnce = 32;
constexpr uint32_t kRequestBytes = 64;

int open_service(Requests& requests, const std::string& name) {
    const Text text(requests.client(), name);
    fc_command command;
    farcall_prep_service_open(&command, text.region(), text.offset(), text.length());
    return requests.run(command);
}

/// A chain on top of each call: a nop that waits for it, and runs however it ends.
struct Flood {
    Requests& requests;
    const client::Buffer memory;
    uint32_t service;
    unsigned op;
    std::set<uint64_t> calls{}, others{};
    uint64_t answered = 0, reset = 0, refused = 0;

    Flood(Requests& r, uint32_t handle, unsigned number)
        : requests(r), memory(r.client(), kAtOnce * kRequestBytes, true), service(handle), op(number) {}

    void post(unsigned slot) {
        fc_command command;
        farcall_prep_call(&command, service, op, 0, memory.region(), memory.offset() + slot * kRequestBytes,
                          kRequestBytes, kRequestBytes);
        const uint64_t call = requests.post(command);
        calls.insert(call);
        farcall_prep_nop(&command, 0);
        farcall_after(&command, call);
        farcall_add_flags(&command, FC_F_ALWAYS);
        others.insert(requests.post(command));
    }
    /// True: the server answered.
    bool take(const fc_event& event) {
        if (others.erase(event.id) != 0) {
            expect("what waits for a call", event.result, 0);
            return false;
        }
        if (calls.erase(event.id) == 0) throw Failure("an event for a command that was never posted");
        if (event.result == -ECONNRESET) {
            reset++;
        } else if (event.result == -EPIPE) {
            refused++;
        } else {
            answered++;
            return true;
        }
        return false;
    }
};

}  // namespace

int calls(Arguments& arguments) {
    const auto op = static_cast<unsigned>(arguments.number("--op", 1, 65535));
    const auto words = arguments.rest(1, 1, "calls [--op N] SERVICE");
    client::Client client;
    Requests requests(client);
    const uint32_t service = handle_of(words[0], open_service(requests, words[0]));
    Flood flood(requests, service, op);
    for (unsigned i = 0; i < kAtOnce; i++)
        flood.post(i);
    for (unsigned i = 0; !flood.calls.empty() || !flood.others.empty();) {
        if (!flood.take(requests.next()) || flood.reset + flood.refused != 0) continue;
        flood.post(i++ % kAtOnce);
        if (flood.answered == kAtOnce) {
            std::printf("answered: %u\n", kAtOnce);
            std::fflush(stdout);
        }
    }
    std::printf("answered: %" PRIu64 ", reset with the server: %" PRIu64 ", after it: %" PRIu64 "\n",
                flood.answered, flood.reset, flood.refused);
    if (flood.reset == 0) throw Failure("no call was under way when the server went away");
    fc_command command;
    farcall_prep_call(&command, service, op, 0, flood.memory.region(), flood.memory.offset(), kRequestBytes,
                      kRequestBytes);
    expect("a call of a server that is gone", requests.run(command), -EPIPE);
    expect("a session with a server that is gone", open_service(requests, words[0]), -ENOENT);
    return 0;
}

}  // namespace farcall::demo
