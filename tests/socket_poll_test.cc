// SPDX-License-Identifier: MIT
// Polls of sockets, streams and files.
#include <set>

#include "tests/socket_ops_rig.h"

namespace farcall::test {
namespace {

class SocketPoll : public SocketOpsRig {};

TEST_F(SocketPoll, PollOnceAndAgainAndAgain) {
    SocketClient client(*domain_, {.client_flags = FC_CLIENT_STREAMS});
    uint32_t a, b;
    client.connected_pair(&a, &b);
    EXPECT_EQ(client.simple(FC_OP_POLL, a, POLLOUT | POLLIN), POLLOUT);
    EXPECT_EQ(client.simple(FC_OP_POLL, a, 1ull << 32), -EINVAL);
    EXPECT_EQ(client.simple(FC_OP_POLL, 12345, POLLIN), -EBADF);
    const fc_command once = client.command(FC_OP_POLL, b, POLLIN);
    fc_command many = client.command(FC_OP_POLL, b, POLLIN | POLLRDHUP);
    many.flags = FC_F_MULTISHOT;
    client.post(once);
    client.post(many);
    settle(client);
    memcpy(client.arena() + kData, "x", 1);
    const fc_command send = client.send_command(a, kData, 1);
    client.post(send);
    auto events = client.collect(3);
    EXPECT_EQ(events[once.id].result, POLLIN);
    EXPECT_EQ(events[many.id].result, POLLIN);
    EXPECT_EQ(events[many.id].flags, FC_E_MORE);
    EXPECT_EQ(client.recv(b, 10), "x");
    const fc_command close = client.command(FC_OP_CLOSE, a);
    client.post(close);
    uint32_t bits = 0;
    while ((bits & POLLRDHUP) == 0) {
        const fc_event event = client.wait().event;
        if (event.id == many.id) bits |= static_cast<uint32_t>(event.result);
    }
    EXPECT_EQ(bits & (POLLIN | POLLRDHUP), static_cast<uint32_t>(POLLIN | POLLRDHUP));
}

TEST_F(SocketPoll, NothingWaitsWhenAskedNotTo) {
    SocketClient client(*domain_);
    uint16_t port = 0;
    const uint32_t listens = client.listener("127.0.0.1", &port);
    fc_command look = client.command(FC_OP_POLL, listens, POLLIN);
    look.op_flags = FC_POLL_NOW;
    fc_command accept = client.command(FC_OP_ACCEPT, listens);
    accept.op_flags = FC_MSG_DONTWAIT;
    EXPECT_EQ(client.run(look).result, 0);
    EXPECT_EQ(client.run(accept).result, -EAGAIN);
    const uint32_t a = client.must(client.socket(AF_INET, SOCK_STREAM));
    EXPECT_EQ(client.connect(a, address_of("127.0.0.1", port)), 0);
    EXPECT_EQ(client.run(look).result, POLLIN);
    const uint32_t b = client.must(client.run(accept).result);
    EXPECT_EQ(client.run(look).result, 0);
    EXPECT_EQ(client.send(a, "12345"), 5);
    EXPECT_EQ(client.simple(FC_OP_POLL, b, POLLIN), POLLIN);
    EXPECT_EQ(client.get_option(b, FC_SOL_QUEUES, FC_SO_UNREAD), 5);
    EXPECT_EQ(client.get_option(b, FC_SOL_QUEUES, FC_SO_UNSENT), 0);
    EXPECT_EQ(client.set_option(b, FC_SOL_QUEUES, FC_SO_UNSENT, 1), -ENOPROTOOPT);
    EXPECT_EQ(client.get_option(b, FC_SOL_QUEUES, 3), -1000000 - ENOPROTOOPT);
    for (fc_command* wrong : {&look, &accept}) {
        wrong->flags = FC_F_MULTISHOT;
        EXPECT_EQ(client.run(*wrong).result, -EINVAL);
        wrong->flags = 0;
        wrong->op_flags |= 0x10;
        EXPECT_EQ(client.run(*wrong).result, -EINVAL);
    }
}

TEST_F(SocketPoll, PollOnStreamsAndFiles) {
    SocketClient client(*domain_, {.client_flags = FC_CLIENT_STREAMS});
    const fc_command poll = client.command(FC_OP_POLL, FC_HANDLE_STDIN, POLLIN);
    client.post(poll);
    settle(client);
    ASSERT_EQ(write(stream_[1], "line\n", 5), 5);
    EXPECT_EQ(expect_event(client, poll.id).result, POLLIN);
    EXPECT_EQ(client.simple(FC_OP_POLL, FC_HANDLE_STDIN, POLLIN), POLLIN);
    EXPECT_EQ(client.simple(FC_OP_POLL, FC_HANDLE_STDERR, POLLOUT), POLLOUT) << "not there: swallows all";
    EXPECT_EQ(client.simple(FC_OP_POLL, FC_HANDLE_SHARE(0), POLLIN), POLLIN);
    fc_command many = client.command(FC_OP_POLL, FC_HANDLE_SHARE(0), POLLIN);
    many.flags = FC_F_MULTISHOT;
    EXPECT_EQ(client.run(many).result, -EPERM);
}

TEST_F(SocketPoll, PollersBeyondOneRunAllHear) {
    SocketClient client(*domain_, {.command_slots = 512, .event_slots = 512});
    uint32_t a, b;
    client.connected_pair(&a, &b);
    constexpr size_t kPollers = 300;
    std::set<uint64_t> open;
    for (size_t i = 0; i < kPollers; i++) {
        const fc_command poll = client.command(FC_OP_POLL, b, POLLIN);
        open.insert(poll.id);
        client.post(poll);
    }
    settle(client);
    const fc_command send = client.send_command(a, kData, 1);
    client.post(send);
    for (size_t i = 0; i < kPollers + 1; i++)
        open.erase(client.wait().event.id);
    EXPECT_TRUE(open.empty());
}

}  // namespace
}  // namespace farcall::test
