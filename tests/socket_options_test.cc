// SPDX-License-Identifier: MIT
// Options of the host's sockets whose effect is seen at the other end.
#include <netinet/tcp.h>

#include "tests/socket_ops_rig.h"

namespace farcall::test {
namespace {

class SocketOptions : public SocketOpsRig {
  protected:
    /// A listening socket of this test's own, and a connection to it from the client.
    SocketOptions() : listens_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        Bytes address = address_of("127.0.0.1", 0);
        auto* raw = reinterpret_cast<sockaddr*>(address.data());
        socklen_t length = sizeof(sockaddr_in);
        EXPECT_EQ(::bind(listens_.get(), raw, length), 0);
        EXPECT_EQ(::listen(listens_.get(), 5), 0);
        EXPECT_EQ(::getsockname(listens_.get(), raw, &length), 0);
        address_ = address;
    }
    uint32_t connect(SocketClient& client, UniqueFd* peer) {
        const uint32_t socket = client.must(client.socket(AF_INET, SOCK_STREAM));
        EXPECT_EQ(client.connect(socket, address_), 0);
        peer->reset(::accept4(listens_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        return socket;
    }
    static int set_linger(SocketClient& client, uint32_t socket, linger value, uint32_t bytes = 8) {
        memcpy(client.arena() + kData, &value, sizeof(value));
        const uint64_t which = SOL_SOCKET | uint64_t{SO_LINGER} << 32;
        return client.run(client.with_memory(client.command(FC_OP_SETSOCKOPT, socket, which), kData, bytes))
            .result;
    }
    /// What the other end sees of the end: 0, or an errno.
    static int end_of(const UniqueFd& peer) {
        char byte;
        const ssize_t n = ::recv(peer.get(), &byte, 1, 0);
        return n < 0 ? errno : static_cast<int>(n);
    }

    UniqueFd listens_;
    Bytes address_;
};

TEST_F(SocketOptions, LingerWithoutTimeResets) {
    SocketClient client(*domain_);
    UniqueFd peer;
    uint32_t socket = connect(client, &peer);
    EXPECT_EQ(client.simple(FC_OP_CLOSE, socket), 0);
    EXPECT_EQ(end_of(peer), 0);
    socket = connect(client, &peer);
    EXPECT_EQ(set_linger(client, socket, {1, 0}), 0);
    EXPECT_EQ(client.simple(FC_OP_CLOSE, socket), 0);
    EXPECT_EQ(end_of(peer), ECONNRESET);
    socket = connect(client, &peer);
    EXPECT_EQ(set_linger(client, socket, {1, 0}), 0);
    EXPECT_EQ(set_linger(client, socket, {0, 0}), 0);
    EXPECT_EQ(client.simple(FC_OP_CLOSE, socket), 0);
    EXPECT_EQ(end_of(peer), 0);
}

// A worker would wait in close().
TEST_F(SocketOptions, LingerWithATimeIsRefused) {
    SocketClient client(*domain_);
    UniqueFd peer;
    const uint32_t socket = connect(client, &peer);
    EXPECT_EQ(set_linger(client, socket, {1, 1}), -EINVAL);
    EXPECT_EQ(set_linger(client, socket, {-1, -1}), -EINVAL);
    EXPECT_EQ(set_linger(client, socket, {1, 0}, 4), -EINVAL);
    EXPECT_EQ(set_linger(client, socket, {0, 30}), 0);
    EXPECT_EQ(client.get_option(socket, SOL_SOCKET, SO_LINGER), 0);
}

}  // namespace
}  // namespace farcall::test
