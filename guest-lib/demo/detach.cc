// SPDX-License-Identifier: MIT
// A chain that outlives its process.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "guest-lib/demo/requests.h"

namespace farcall::demo {

namespace {

/// Two writes to the file, each behind a timer, from memory of this process that nobody keeps but the host.
void post_chain(Requests& requests, const client::Buffer& memory, uint32_t out, uint64_t ns) {
    std::memcpy(memory.data(), "one two\n", 8);
    uint64_t before = 0;
    for (uint64_t part = 0; part < 2; part++) {
        fc_command command;
        farcall_prep_timer(&command, ns, 0);
        if (before != 0) farcall_after(&command, before);
        farcall_detach(&command);
        const uint64_t timer = requests.post(command);
        farcall_prep_write(&command, out, part * 4, memory.region(), memory.offset() + part * 4, 4);
        farcall_after(&command, timer);
        farcall_detach(&command);
        before = requests.post(command);
    }
}

}  // namespace

int detach(Arguments& arguments) {
    const bool stay = arguments.flag("--stay"), close = arguments.flag("--close");
    const uint64_t ms = arguments.number("--after", 200, 1'000'000'000);
    const auto words = arguments.rest(1, 1, "detach [--stay|--close] [--after MS] OUT");
    auto client = std::make_unique<client::Client>();
    auto requests = std::make_unique<Requests>(*client);
    const uint32_t out = handle_of(
        words[0], open_file(*requests, words[0], FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE));
    // Not detached: it ends with us.
    fc_command command;
    farcall_prep_event_wait(&command, requests->fresh_id());
    requests->post(command);
    auto memory = std::make_unique<client::Buffer>(*client, 1u << 20, true);
    post_chain(*requests, *memory, out, ms * 1'000'000);
    std::printf("posted\n");
    std::fflush(stdout);
    if (stay) {
        while (true)
            ::pause();  // until somebody kills it
    }
    if (close) {
        // The memory is still the host's: freeing it would wait for the chain, closing the client does not.
        static_cast<void>(memory.release());
        requests.reset();
        client.reset();
        return 0;
    }
    std::_Exit(0);  // without a word to anybody
}

}  // namespace farcall::demo
