// SPDX-License-Identifier: MIT
// Whatever a worker does just then: who sleeps is woken.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <random>

#include "tests/test_client.h"

namespace farcall::test {
namespace {

// Something outside of the rings completes a command at any moment around the one at which the last channel
// is no longer polled. The event's interrupt must not wait until the worker has another reason to wake up.
TEST(Wakeup, InterruptsDoNotWaitForTheNextRound) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    const UniqueFd out(ends[0]), in(ends[1]);
    Engine engine{EngineConfig{.spin = std::chrono::microseconds(20)}};
    DomainConfig config;
    config.streams.in = out.get();
    const auto domain = engine.create_domain(config);
    TestClient client(*domain, {.client_flags = FC_CLIENT_STREAMS});
    fc_command c{};
    c.opcode = FC_OP_POLL;
    c.handle = FC_HANDLE_STDIN;
    c.offset = POLLIN;
    for (c.id = 0; c.id < 20000; c.id++) {
        fc_arm(&client.header()->client_armed);
        client.post(c);
        const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(random() % 80000);
        while (std::chrono::steady_clock::now() < until) {
        }
        char byte = 'x';
        ASSERT_EQ(write(in.get(), &byte, 1), 1);
        pollfd interrupt{client.interrupt_fd(), POLLIN, 0};
        ASSERT_EQ(::poll(&interrupt, 1, 10000), 1) << "round " << c.id << ": " << client.describe();
        uint64_t count;
        ASSERT_EQ(read(client.interrupt_fd(), &count, sizeof(count)), 8);
        ASSERT_EQ(client.wait().event.result, POLLIN);
        ASSERT_EQ(read(out.get(), &byte, 1), 1);
    }
}

}  // namespace
}  // namespace farcall::test
