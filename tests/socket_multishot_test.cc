// SPDX-License-Identifier: MIT
// Commands on sockets that complete many times, and buffers that the host picks.
#include <deque>
#include <set>
#include <thread>

#include "tests/socket_ops_rig.h"

namespace farcall::test {
namespace {

class SocketMultishot : public SocketOpsRig {};

TEST_F(SocketMultishot, AcceptMultishotWithFewEventSlotsLosesNothing) {
    SocketClient client(*domain_, {.command_slots = 8, .event_slots = 8});
    uint16_t port = 0;
    const uint32_t listens = client.listener("127.0.0.1", &port);
    fc_command accept = with_id(client.command(FC_OP_ACCEPT, listens));
    accept.flags |= FC_F_MULTISHOT;
    accept.id = client.new_id();
    client.post(accept);
    constexpr int kConnections = 100;
    std::vector<UniqueFd> peers;
    for (int i = 0; i < kConnections; i++)
        peers.emplace_back(connect_host(port));
    std::set<int> handles;
    for (int i = 0; i < kConnections; i++) {
        const fc_event event = client.wait().event;
        // The second rule of PROTOCOL.md, section 5: slots were given back.
        if (fc_doorbell_needed(client.header(), client.tail())) client.ring();
        ASSERT_EQ(event.id, accept.id);
        ASSERT_TRUE(event.flags & FC_E_MORE);
        ASSERT_TRUE(event.flags & FC_E_ID);
        ASSERT_GT(event.result, 0);
        EXPECT_TRUE(handles.insert(event.result).second);
        if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_FALSE(client.poll());
    // Each is a connection of its own.
    std::set<std::string> said;
    for (int i = 0; i < kConnections; i++) {
        const std::string text = "from " + std::to_string(i);
        ASSERT_EQ(::send(peers[i].get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    for (const int handle : handles)
        said.insert(client.recv(static_cast<uint32_t>(handle)));
    EXPECT_EQ(said.size(), static_cast<size_t>(kConnections));
    // Cancelling gives the one last event.
    const fc_command cancel = client.command(FC_OP_CANCEL, 0, accept.id);
    client.post(cancel);
    auto events = client.collect(2);
    EXPECT_EQ(events[accept.id].result, -ECANCELED);
    EXPECT_FALSE(events[accept.id].flags & FC_E_MORE);
}

TEST_F(SocketMultishot, MultishotEndsWithItsSocket) {
    SocketClient client(*domain_);
    uint16_t port = 0;
    const uint32_t listens = client.listener("127.0.0.1", &port);
    fc_command accept = client.command(FC_OP_ACCEPT, listens);
    accept.flags = FC_F_MULTISHOT;
    client.post(accept);
    settle(client);
    const fc_command close = client.command(FC_OP_CLOSE, listens);
    client.post(close);
    auto events = client.collect(2);
    EXPECT_EQ(events[accept.id].result, -ECANCELED);
    EXPECT_EQ(events[accept.id].flags, 0);
    accept.length = 16;
    EXPECT_EQ(client.run(accept).result, -EBADF);
}

TEST_F(SocketMultishot, AcceptGivesThePeersAddress) {
    SocketClient client(*domain_);
    uint16_t port = 0;
    const uint32_t listens = client.listener("127.0.0.1", &port);
    memset(client.arena() + kData, 0xff, 200);
    const fc_command accept = client.with_memory(client.command(FC_OP_ACCEPT, listens), kData, 130);
    client.post(accept);
    const UniqueFd peer(connect_host(port));
    ASSERT_GT(expect_event(client, accept.id).result, 0);
    sockaddr_in local{};
    socklen_t length = sizeof(local);
    getsockname(peer.get(), reinterpret_cast<sockaddr*>(&local), &length);
    EXPECT_EQ(memcmp(client.arena() + kData, &local, sizeof(local)), 0);
    EXPECT_EQ(client.arena()[kData + 127], std::byte{0});
    EXPECT_EQ(client.arena()[kData + 128], std::byte{0xff}) << "no more than a sockaddr_storage is written";
}

TEST_F(SocketMultishot, HostPicksBuffers) {
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    const uint32_t pool = make_pool(client, 1000, 2);
    // Nothing is taken before there is data; then the result says which buffer and how much.
    fc_command first = pooled(client, b, pool, false);
    first.flags = FC_F_RESULT_STORE;
    first.result_var = 3;
    client.post(first);
    settle(client);
    EXPECT_EQ(client.run(pooled(client, b, 99999, false)).result, -EBADF);
    memcpy(client.arena() + kData, "picked", 6);
    const fc_command send = client.send_command(a, kData, 6);
    client.post(send);
    auto events = client.collect(2);
    fc_event event = events[first.id];
    EXPECT_EQ(event.flags, FC_E_BUFFER);
    EXPECT_EQ(FC_RESULT_BYTES(event.result), 6u);
    const uint32_t used = FC_RESULT_BUFFER(event.result);
    ASSERT_LT(used, 2u);
    EXPECT_EQ(memcmp(client.arena() + kPool + used * 1000, "picked", 6), 0);
    EXPECT_EQ(client.variable(3), 6u) << "a variable gets the bytes alone";
    // One is left; then there is none.
    EXPECT_EQ(client.send(a, "0123456789"), 10);
    fc_command limited = pooled(client, b, pool, false);
    limited.length = 4;
    event = client.run(limited);
    EXPECT_EQ(FC_RESULT_BYTES(event.result), 4u);
    EXPECT_EQ(FC_RESULT_BUFFER(event.result), 1 - used);
    EXPECT_EQ(client.run(pooled(client, b, pool, false)).result, -ENOBUFS);
    EXPECT_EQ(client.simple(FC_OP_BUFFER_RETURN, pool, 2), -EINVAL);
    EXPECT_EQ(client.simple(FC_OP_BUFFER_RETURN, pool, used), 0);
    EXPECT_EQ(client.simple(FC_OP_BUFFER_RETURN, pool, used), -EALREADY);
    EXPECT_EQ(client.simple(FC_OP_BUFFER_RETURN, b, used), -EBADF);
    event = client.run(pooled(client, b, pool, false));
    EXPECT_EQ(FC_RESULT_BUFFER(event.result), used);
    EXPECT_EQ(FC_RESULT_BYTES(event.result), 6u);
    // The end of the stream takes no buffer.
    EXPECT_EQ(client.simple(FC_OP_BUFFER_RETURN, pool, used), 0);
    EXPECT_EQ(client.simple(FC_OP_CLOSE, a), 0);
    event = client.run(pooled(client, b, pool, false));
    EXPECT_EQ(event.result, 0);
    EXPECT_EQ(event.flags, 0);
}

TEST_F(SocketMultishot, MultishotReceiveRunsOutOfBuffers) {
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    const uint32_t pool = make_pool(client, 100, 8);
    const fc_command recv = pooled(client, b, pool, true);
    client.post(recv);
    settle(client);
    memset(client.arena() + kData, 'z', 2000);
    const fc_command send = client.send_command(a, kData, 2000);
    client.post(send);
    uint32_t bytes = 0;
    std::set<uint32_t> buffers;
    for (;;) {
        const fc_event event = client.wait().event;
        if (event.id == send.id) continue;
        ASSERT_EQ(event.id, recv.id);
        if (!(event.flags & FC_E_MORE)) {
            EXPECT_EQ(event.result, -ENOBUFS);
            break;
        }
        EXPECT_TRUE(event.flags & FC_E_BUFFER);
        EXPECT_TRUE(buffers.insert(FC_RESULT_BUFFER(event.result)).second);
        bytes += FC_RESULT_BYTES(event.result);
    }
    EXPECT_EQ(buffers.size(), 8u);
    EXPECT_EQ(bytes, 800u);
    // What did not fit is still there.
    EXPECT_EQ(client.recv(b, 2000).size(), 1200u);
}

// A stream through a pool of few buffers and an event ring of few slots: every byte arrives, in order.
TEST_F(SocketMultishot, StreamThroughPoolAndTinyRings) {
    SocketClient client(*domain_, {.command_slots = 8, .event_slots = 8});
    const uint32_t pool = make_pool(client, 512, 64);
    constexpr uint64_t kTotal = 1 << 20;
    uint16_t port = 0;
    const uint32_t listens = client.listener("127.0.0.1", &port);
    const UniqueFd host(connect_host(port));
    const uint32_t reader = client.must(client.simple(FC_OP_ACCEPT, listens));
    std::thread sender([&] {
        std::vector<uint8_t> block(4096);
        for (uint64_t at = 0; at < kTotal; at += block.size()) {
            for (size_t i = 0; i < block.size(); i++)
                block[i] = static_cast<uint8_t>((at + i) * 7 >> 3);
            ASSERT_EQ(::send(host.get(), block.data(), block.size(), MSG_NOSIGNAL), 4096);
        }
        shutdown(host.get(), SHUT_WR);
    });
    uint64_t received = 0, wrong = 0;
    bool armed = false, ended = false;
    const fc_command recv = pooled(client, reader, pool, true);
    std::deque<uint32_t> owed;  // buffers to give back, a few commands at a time
    uint32_t returns = 0;
    while (!ended) {
        if (!armed) client.post(recv);
        armed = true;
        for (; returns < 3 && !owed.empty(); returns++, owed.pop_front())
            client.post(client.command(FC_OP_BUFFER_RETURN, pool, owed.front()));
        const fc_event event = client.wait().event;
        if (fc_doorbell_needed(client.header(), client.tail())) client.ring();
        if (event.id != recv.id) {
            ASSERT_EQ(event.result, 0);
            returns--;
        } else if (event.flags & FC_E_MORE) {
            const uint32_t index = FC_RESULT_BUFFER(event.result), bytes = FC_RESULT_BYTES(event.result);
            for (uint32_t i = 0; i < bytes; i++)
                wrong += client.arena()[kPool + index * 512 + i] !=
                         static_cast<std::byte>((received + i) * 7 >> 3);
            received += bytes;
            owed.push_back(index);
        } else {
            armed = false;
            ended = event.result == 0;
            ASSERT_TRUE(ended || event.result == -ENOBUFS) << event.result;
        }
    }
    sender.join();
    EXPECT_EQ(received, kTotal);
    EXPECT_EQ(wrong, 0u);
}

TEST_F(SocketMultishot, BufferPoolsAreChecked) {
    SocketClient client(*domain_);
    const auto make = [&](uint64_t bytes, uint64_t at, uint32_t length, uint32_t region = 0) {
        fc_command c = client.with_memory(client.command(FC_OP_BUFFERS, 0, bytes), at, length);
        c.region = region;
        return client.run(c).result;
    };
    EXPECT_EQ(make(0, 0, 4096), -EINVAL);
    EXPECT_EQ(make(4096, 0, 0), -EINVAL);
    EXPECT_EQ(make(4096, 0, 4097), -EINVAL);
    EXPECT_EQ(make(FC_MAX_POOL_BUFFER_BYTES + 1, 0, FC_MAX_POOL_BUFFER_BYTES + 1), -EINVAL);
    EXPECT_EQ(make(1, 0, FC_MAX_POOL_BUFFERS + 1), -EINVAL);
    EXPECT_EQ(make(4096, TestClient::kArenaBytes - 4096, 8192), -EFAULT);
    EXPECT_EQ(make(4096, ~0ull, 4096), -EFAULT);
    EXPECT_EQ(make(4096, 0, 4096, 77), -EIDRM);
    EXPECT_GT(make(1, 0, FC_MAX_POOL_BUFFERS), 0);
    // A pool's memory cannot be taken away under it.
    std::byte* memory = client.map(65536);
    const auto add = [&](uint32_t flags) {
        return TestClient::call([&](ControlDone done) {
            domain_->add_region(client.id(), RegionConfig{{{memory, 65536}}, flags, nullptr}, done);
        });
    };
    const auto read_only = static_cast<uint32_t>(add(0).value);
    EXPECT_EQ(make(4096, 0, 4096, read_only), -EACCES);
    const auto key = static_cast<uint32_t>(add(FC_REGION_WRITE).value);
    const int pool = make(4096, 0, 4096, key);
    ASSERT_GT(pool, 0);
    const auto remove = [&] {
        return TestClient::call([&](ControlDone done) { domain_->remove_region(client.id(), key, done); })
            .status;
    };
    EXPECT_EQ(remove(), -EBUSY);
    EXPECT_EQ(client.simple(FC_OP_CLOSE, static_cast<uint32_t>(pool)), 0);
    EXPECT_EQ(remove(), 0);
}

}  // namespace
}  // namespace farcall::test
