// SPDX-License-Identifier: MIT
// What sockets do beyond one call at a time: commands that wait, their order, closing and cancelling under
// way.
#include <fcntl.h>
#include <netinet/tcp.h>

#include <set>

#include "tests/socket_ops_rig.h"

namespace farcall::test {
namespace {

class SocketOps : public SocketOpsRig {};

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
