// SPDX-License-Identifier: MIT
// What sockets do beyond one call at a time: commands that wait, their order, multishot, buffers that the
// host picks, closing and cancelling under way.
#include <fcntl.h>
#include <netinet/tcp.h>

#include <deque>
#include <set>
#include <thread>

#include "tests/socket_client.h"

namespace farcall::test {
namespace {

constexpr uint64_t kData = SocketClient::kData;
constexpr uint64_t kPool = 512 << 10;

class SocketOps : public ::testing::Test {
  protected:
    SocketOps() {
        DomainConfig config;
        config.shares.push_back({dir_.path().string(), true});
        config.net = allow_all();
        config.net.unix_sockets = true;
        publish_range(config.net, "127.0.0.1");
        EXPECT_EQ(pipe2(stream_, O_CLOEXEC), 0);
        config.streams.in = stream_[0];
        domain_ = engine_.create_domain(config);
    }
    ~SocketOps() override {
        domain_.reset();
        close(stream_[0]);
        close(stream_[1]);
    }
    // Long enough that what was posted has been taken and waits: the client sees that by a NOP behind it.
    static void settle(TestClient& client) { EXPECT_EQ(client.run(nop(1, 7)).result, 7); }
    static fc_event expect_event(TestClient& client, uint64_t id) {
        const fc_event event = client.wait().event;
        EXPECT_EQ(event.id, id);
        return event;
    }
    static int connect_host(uint16_t port) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const Bytes to = address_of("127.0.0.1", port);
        EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(to.data()), 16), 0) << strerror(errno);
        return fd;
    }
    static uint32_t make_pool(SocketClient& client, uint32_t bytes, uint32_t count) {
        return client.must(
            client.run(client.with_memory(client.command(FC_OP_BUFFERS, 0, bytes), kPool, bytes * count))
                .result);
    }
    static fc_command pooled(SocketClient& client, uint32_t socket, uint32_t pool, bool multishot) {
        fc_command c = client.recv_command(socket, 0, 0, FC_MSG_POOL);
        c.offset = pool;
        if (multishot) c.flags = FC_F_MULTISHOT;
        return c;
    }

    TempDir dir_;
    int stream_[2];
    Engine engine_{EngineConfig{.blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
};

TEST_F(SocketOps, ReceiveWaitsForDataAndForTheEnd) {
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    const fc_command recv = client.recv_command(b, kData + 1000, 100);
    client.post(recv);
    settle(client);
    EXPECT_EQ(client.send(a, "hello"), 5);
    // The event of the send and that of the receive may come in either order; send() took one of them.
    const fc_event event = client.wait().event;
    EXPECT_TRUE(event.id == recv.id || event.result == 5);
    EXPECT_EQ(memcmp(client.arena() + kData + 1000, "hello", 5), 0);
    EXPECT_EQ(client.simple(FC_OP_SHUTDOWN, a, SHUT_WR), 0);
    EXPECT_EQ(client.recv(b), "");
    EXPECT_EQ(client.simple(FC_OP_SHUTDOWN, b, 3), -EINVAL);
}

TEST_F(SocketOps, ReadAndWriteAreRecvAndSend) {
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    memcpy(client.arena() + kData, "through a descriptor", 20);
    EXPECT_EQ(client.run(transfer(FC_OP_WRITE, 1, a, FC_OFFSET_CURRENT, kData, 20)).result, 20);
    EXPECT_EQ(client.run(transfer(FC_OP_READ, 1, b, FC_OFFSET_CURRENT, kData + 100, 100)).result, 20);
    EXPECT_EQ(memcmp(client.arena() + kData + 100, "through a descriptor", 20), 0);
    EXPECT_EQ(client.run(transfer(FC_OP_READ, 1, b, 0, kData, 100)).result, -ESPIPE);
    EXPECT_EQ(client.run(transfer(FC_OP_READ, 1, b + 1000, 0, kData, 100)).result, -EBADF);
    EXPECT_EQ(client.run(transfer(FC_OP_READ, 1, b, FC_OFFSET_CURRENT, TestClient::kArenaBytes, 1)).result,
              -EFAULT);
}

// Far more than the socket holds: the sends wait and keep their order, and so do the receives.
TEST_F(SocketOps, LargeSendsKeepTheirOrder) {
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    constexpr uint32_t kEach = 128 << 10, kSends = 48;
    std::set<uint64_t> open;
    // A buffer for each would be 6 MiB; three of a repeated byte do as well.
    for (uint32_t i = 0; i < 3; i++)
        memset(client.arena() + kData + i * kEach, static_cast<int>('a' + i), kEach);
    for (uint32_t i = 0; i < kSends; i++) {
        const fc_command c = client.send_command(a, kData + i % 3 * kEach, kEach);
        open.insert(c.id);
        client.post(c);
    }
    // Nothing is written behind a send that waits, though there may be room by now.
    uint64_t received = 0;
    uint64_t wrong = 0;
    while (received < uint64_t{kEach} * kSends) {
        const fc_command recv = client.recv_command(b, kPool, 100000);
        client.post(recv);
        for (;;) {
            const fc_event event = client.wait().event;
            if (event.id != recv.id) {
                EXPECT_EQ(event.result, static_cast<int>(kEach));
                EXPECT_EQ(event.id, *open.begin()) << "sends must end in the order of their posting";
                open.erase(event.id);
                continue;
            }
            ASSERT_GT(event.result, 0);
            for (int i = 0; i < event.result; i++) {
                const auto expected = static_cast<std::byte>('a' + (received + i) / kEach % 3);
                wrong += client.arena()[kPool + i] != expected;
            }
            received += static_cast<uint64_t>(event.result);
            break;
        }
    }
    EXPECT_EQ(wrong, 0u);
    while (!open.empty())
        open.erase(client.wait().event.id);
}

TEST_F(SocketOps, DontWaitNeverOvertakes) {
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    EXPECT_EQ(client.recv(b, 10, FC_MSG_DONTWAIT), std::to_string(-EAGAIN));
    const fc_command first = client.recv_command(b, kData + 5000, 10);
    client.post(first);
    EXPECT_EQ(client.recv(b, 10, FC_MSG_DONTWAIT), std::to_string(-EAGAIN));
    // A send that fills the socket gives what went in.
    const fc_command large = client.send_command(a, kData, 400 << 10, FC_MSG_DONTWAIT);
    int sent = 0, last = 0;
    std::set<uint64_t> seen;
    do {
        client.post(large);
        fc_event event = client.wait().event;
        if (event.id == first.id) {
            seen.insert(event.id);
            event = client.wait().event;
        }
        last = event.result;
        sent += std::max(last, 0);
    } while (last > 0);
    EXPECT_EQ(last, -EAGAIN);
    EXPECT_GT(sent, 400 << 10);
    EXPECT_TRUE(seen.contains(first.id) || expect_event(client, first.id).result == 10);
}

TEST_F(SocketOps, WaitAllAndPeek) {
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    EXPECT_EQ(client.send(a, "12345"), 5);
    EXPECT_EQ(client.recv(b, 3, FC_MSG_PEEK), "123");
    const fc_command all = client.recv_command(b, kPool, 8, FC_MSG_WAITALL);
    client.post(all);
    settle(client);
    memcpy(client.arena() + kData, "67890", 5);
    const fc_command more = client.send_command(a, kData, 5);
    client.post(more);
    auto events = client.collect(2);
    EXPECT_EQ(events[all.id].result, 8);
    EXPECT_EQ(memcmp(client.arena() + kPool, "12345678", 8), 0);
    // The end of the stream ends it early.
    client.post(all);
    settle(client);
    const fc_command close = client.command(FC_OP_CLOSE, a);
    client.post(close);
    events = client.collect(2);
    EXPECT_EQ(events[all.id].result, 2);
    EXPECT_EQ(memcmp(client.arena() + kPool, "90", 2), 0);
}

TEST_F(SocketOps, ClosingEndsWhatWaits) {
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    std::vector<fc_command> waiting;
    for (int i = 0; i < 5; i++)
        waiting.push_back(client.recv_command(b, kData + i * 100, 100));
    fc_command poll = client.command(FC_OP_POLL, b, POLLIN);
    waiting.push_back(poll);
    for (const fc_command& c : waiting)
        client.post(c);
    settle(client);
    const fc_command close = client.command(FC_OP_CLOSE, b);
    client.post(close);
    auto events = client.collect(waiting.size() + 1);
    for (const fc_command& c : waiting)
        EXPECT_EQ(events[c.id].result, -ECANCELED);
    EXPECT_EQ(events[close.id].result, 0);
    EXPECT_EQ(client.recv(a), "") << "the other end sees that it was closed";
    EXPECT_EQ(client.recv(b), std::to_string(-EBADF));
}

TEST_F(SocketOps, CancellingTheFirstLetsTheNextOn) {
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    fc_command first = with_id(client.recv_command(b, kData, 10, FC_MSG_WAITALL));
    first.id = client.new_id();
    client.post(first);
    // Goes to the first, which wants more; to the second if the worker hears of it only after the cancel.
    EXPECT_EQ(client.send(a, "abc"), 3);
    const fc_command second = client.recv_command(b, kPool, 10);
    client.post(second);
    settle(client);
    fc_command cancel = client.command(FC_OP_CANCEL, 0, first.id);
    client.post(cancel);
    auto events = client.collect(2);
    EXPECT_EQ(events[first.id].result, -ECANCELED);
    EXPECT_EQ(events[cancel.id].result, 0);
    memcpy(client.arena() + kData, "next", 4);
    client.post(client.send_command(a, kData, 4));
    events = client.collect(2);
    const int got = events[second.id].result;
    ASSERT_TRUE(got == 4 || got == 3) << got;
    EXPECT_EQ(memcmp(client.arena() + kPool, got == 4 ? "next" : "abc", static_cast<size_t>(got)), 0);
}

TEST_F(SocketOps, DestroyWithCommandsSuspended) {
    for (const bool channel_first : {false, true}) {
        SocketClient client(*domain_);
        uint32_t a, b;
        client.connected_pair(&a, &b);
        const uint32_t pool = make_pool(client, 256, 4);
        client.post(client.recv_command(b, kData, 10));
        client.post(pooled(client, a, pool, true));
        client.post(client.command(FC_OP_POLL, a, POLLIN));
        settle(client);
        if (channel_first) {
            EXPECT_EQ(TestClient::call([&](ControlDone done) {
                          domain_->destroy_channel(client.id(), client.channel(), done);
                      }).status,
                      0);
        }
        EXPECT_EQ(client.destroy().status, 0);
    }
}

TEST_F(SocketOps, AcceptMultishotWithFewEventSlotsLosesNothing) {
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

TEST_F(SocketOps, MultishotEndsWithItsSocket) {
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

TEST_F(SocketOps, AcceptGivesThePeersAddress) {
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

TEST_F(SocketOps, HostPicksBuffers) {
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

TEST_F(SocketOps, MultishotReceiveRunsOutOfBuffers) {
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
TEST_F(SocketOps, StreamThroughPoolAndTinyRings) {
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

// Ten times what a socket holds, to a peer that reads slowly: the file's place is kept, and a send behind it
// waits.
TEST_F(SocketOps, SendfileToASocket) {
    std::string text(3 << 20, '\0');
    for (size_t i = 0; i < text.size(); i++)
        text[i] = static_cast<char>(i * 31 >> 5);
    dir_.write("large", text);
    SocketClient client(*domain_);
    uint32_t a, b;
    client.connected_pair(&a, &b);
    memcpy(client.arena() + kData, "large", 5);
    fc_command open = client.with_memory(client.command(FC_OP_OPEN, 0), kData, 5);
    open.op_flags = FC_OPEN_READ;
    const uint32_t file = client.must(client.run(open).result);
    fc_command first = client.command(FC_OP_SENDFILE, file, 1 << 20);
    first.region = a;
    first.buffer = FC_OFFSET_CURRENT;
    first.length = 2 << 20;
    fc_command second = client.command(FC_OP_SENDFILE, file, FC_OFFSET_CURRENT);
    second.region = a;
    second.buffer = FC_OFFSET_CURRENT;
    second.length = 4 << 20;  // more than there is
    client.post(first);
    client.post(second);
    memcpy(client.arena() + kData, "end", 3);
    const fc_command last = client.send_command(a, kData, 3);
    client.post(last);
    std::string got;
    std::map<uint64_t, int> results;
    const std::string expected = text.substr(1 << 20) + text + "end";
    while (got.size() < expected.size()) {
        const fc_command recv = client.recv_command(b, kPool, 100000);
        client.post(recv);
        for (;;) {
            const fc_event event = client.wait().event;
            if (event.id != recv.id) {
                results[event.id] = event.result;
                continue;
            }
            ASSERT_GT(event.result, 0);
            got.append(reinterpret_cast<const char*>(client.arena() + kPool),
                       static_cast<size_t>(event.result));
            break;
        }
    }
    EXPECT_TRUE(got == expected);
    while (results.size() < 3) {
        const fc_event event = client.wait().event;
        results[event.id] = event.result;
    }
    EXPECT_EQ(results[first.id], 2 << 20);
    EXPECT_EQ(results[second.id], 3 << 20);
    EXPECT_EQ(results[last.id], 3);
    // Given up in the middle of a read or a send, by the handle's close.
    constexpr int kMany = 10;  // far more than the socket takes
    first.id = 900000;
    for (int i = 0; i < kMany; i++, first.id++)
        client.post(first);
    const fc_command close = client.command(FC_OP_CLOSE, a);
    client.post(close);
    int cancelled = 0;
    for (int i = 0; i < kMany + 1; i++)
        cancelled += client.wait().event.result == -ECANCELED;
    EXPECT_GT(cancelled, 0);
    first.region = b;
    first.buffer = 0;
    EXPECT_EQ(client.run(first).result, -ESPIPE);
    first.region = file;
    EXPECT_EQ(client.run(first).result, -EINVAL);
}

TEST_F(SocketOps, BufferPoolsAreChecked) {
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

TEST_F(SocketOps, PollOnceAndAgainAndAgain) {
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

TEST_F(SocketOps, PollOnStreamsAndFiles) {
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

TEST_F(SocketOps, PollersBeyondOneRunAllHear) {
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

TEST_F(SocketOps, DatagramsKeepTheirBoundaries) {
    SocketClient client(*domain_);
    const uint32_t server = client.must(client.socket(AF_INET, SOCK_DGRAM));
    EXPECT_EQ(client.bind(server, address_of("0.0.0.0", 0)), 0);
    const uint16_t port = client.bound_port(server);
    const uint32_t sender = client.must(client.socket(AF_INET, SOCK_DGRAM));
    EXPECT_EQ(client.send_to(sender, address_of("127.0.0.1", port), "first"), 5);
    EXPECT_EQ(client.send_to(sender, address_of("127.0.0.1", port), ""), 0);
    EXPECT_EQ(client.send_to(sender, address_of("0.0.0.0", port), "a long third one"), 16);
    EXPECT_EQ(client.run(client.message(FC_OP_RECVMSG, server, 128, kData, 100)).result, 5);
    EXPECT_EQ(client.filled_message().name_length, sizeof(sockaddr_in));
    EXPECT_EQ(client.filled_message().flags, 0u);
    const uint16_t from = port_of(client.arena() + SocketClient::kAddress);
    EXPECT_EQ(from, client.bound_port(sender));
    EXPECT_EQ(client.recv(server), "");
    EXPECT_EQ(client.run(client.recv_command(server, kData, 4, FC_MSG_PEEK | FC_MSG_TRUNC)).result, 16);
    EXPECT_EQ(client.run(client.message(FC_OP_RECVMSG, server, 0, kData, 6)).result, 6);
    EXPECT_EQ(client.filled_message().flags, static_cast<uint32_t>(MSG_TRUNC));
    // The server answers whom it heard from.
    EXPECT_EQ(client.send_to(server, address_of("127.0.0.1", from), "answer"), 6);
    EXPECT_EQ(client.recv(sender), "answer");
    EXPECT_EQ(client.simple(FC_OP_ACCEPT, server), -EOPNOTSUPP);
}

TEST_F(SocketOps, UnixSocketsLiveInShares) {
    SocketClient client(*domain_);
    std::filesystem::create_directory(dir_.path() / "sub");
    const uint32_t listens = client.must(client.socket(AF_UNIX, SOCK_STREAM));
    EXPECT_EQ(client.bind(listens, unix_address("sub/server")), 0);
    EXPECT_TRUE(std::filesystem::is_socket(dir_.path() / "sub" / "server"));
    EXPECT_EQ(client.simple(FC_OP_LISTEN, listens, 5), 0);
    const int n =
        client.run(client.with_memory(client.command(FC_OP_GETSOCKNAME, listens), kData, 128)).result;
    const Bytes own = unix_address("sub/server");
    ASSERT_EQ(n, static_cast<int>(own.size()));
    EXPECT_EQ(memcmp(client.arena() + kData, own.data(), own.size()), 0);
    const uint32_t a = client.must(client.socket(AF_UNIX, SOCK_STREAM));
    EXPECT_EQ(client.connect(a, unix_address("sub/server")), 0);
    const uint32_t b = client.must(client.simple(FC_OP_ACCEPT, listens));
    EXPECT_EQ(client.send(a, "local"), 5);
    EXPECT_EQ(client.recv(b), "local");
    const uint32_t again = client.must(client.socket(AF_UNIX, SOCK_STREAM));
    EXPECT_EQ(client.bind(again, unix_address("sub/server")), -EADDRINUSE);
    EXPECT_EQ(client.connect(again, unix_address("nobody")), -ENOENT);
    dir_.write("plain", "file");
    EXPECT_EQ(client.connect(again, unix_address("plain")), -ECONNREFUSED);
    EXPECT_EQ(client.connect(again, unix_address("../server")), -EXDEV);
    EXPECT_EQ(client.connect(again, unix_address("/etc/passwd")), -EXDEV);
    EXPECT_EQ(client.bind(again, unix_address("../escape")), -EXDEV);
    EXPECT_EQ(client.bind(again, unix_address("")), -EPERM);
    EXPECT_EQ(client.bind(again, unix_address(std::string("\0abstract", 9))), -EPERM);
    EXPECT_EQ(client.bind(again, unix_address(std::string(100, 'n'))), -ENAMETOOLONG);
    EXPECT_EQ(client.bind(again, unix_address("x"), 9999), -EBADF);
    EXPECT_EQ(client.bind(again, unix_address("x"), listens), -EBADF);
    // Datagrams and packets.
    const uint32_t inbox = client.must(client.socket(AF_UNIX, SOCK_DGRAM));
    EXPECT_EQ(client.bind(inbox, unix_address("inbox")), 0);
    const uint32_t mails = client.must(client.socket(AF_UNIX, SOCK_DGRAM));
    EXPECT_EQ(client.send_to(mails, unix_address("inbox"), "letter"), 6);
    EXPECT_EQ(client.recv(inbox), "letter");
    EXPECT_EQ(client.send_to(mails, unix_address("gone"), "letter"), -ENOENT);
    EXPECT_EQ(client.send_to(a, unix_address("inbox"), "letter"), -EISCONN);
    EXPECT_GT(client.socket(AF_UNIX, SOCK_SEQPACKET), 0);
}

TEST_F(SocketOps, ConnectWaitsForItsOutcome) {
    SocketClient client(*domain_);
    uint16_t port = 0;
    const uint32_t listens = client.listener("127.0.0.1", &port);
    EXPECT_EQ(client.simple(FC_OP_CLOSE, listens), 0);
    const uint32_t a = client.must(client.socket(AF_INET, SOCK_STREAM));
    EXPECT_EQ(client.connect(a, address_of("127.0.0.1", port)), -ECONNREFUSED);
    uint16_t other = 0;
    client.listener("127.0.0.1", &other);
    EXPECT_EQ(client.connect(a, address_of("127.0.0.1", other)), 0);
    EXPECT_EQ(client.connect(a, address_of("127.0.0.1", other)), -EISCONN);
}

}  // namespace
}  // namespace farcall::test
