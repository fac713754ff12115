// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "tests/socket_client.h"

namespace farcall::test {

/// An engine and a domain whose clients may talk to everybody, and what the tests of commands on sockets
/// share.
class SocketOpsRig : public ::testing::Test {
  protected:
    static constexpr uint64_t kData = SocketClient::kData;
    static constexpr uint64_t kPool = 512 << 10;

    SocketOpsRig() {
        DomainConfig config;
        config.shares.push_back({dir_.path().string(), true});
        config.net = allow_all();
        config.net.unix_sockets = true;
        publish_range(config.net, "127.0.0.1");
        EXPECT_EQ(pipe2(stream_, O_CLOEXEC), 0);
        config.streams.in = stream_[0];
        domain_ = engine_.create_domain(config);
    }
    ~SocketOpsRig() override {
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

}  // namespace farcall::test
