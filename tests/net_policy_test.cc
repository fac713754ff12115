// SPDX-License-Identifier: MIT
// What the network policy lets through, and what a hostile client cannot talk it into.
#include <netinet/tcp.h>

#include <random>

#include "tests/socket_client.h"

namespace farcall::test {
namespace {

constexpr uint64_t kData = SocketClient::kData;

NetRule rule(NetProtocol protocol, const char* address, unsigned prefix, uint16_t first, uint16_t last) {
    return {protocol, ip(address), prefix, first, last};
}

TEST(NetPolicy, RulesMatchAddressAndPort) {
    NetConfig config;
    config.allow = {rule(NetProtocol::kTcp, "10.1.0.0", 16, 80, 90),
                    rule(NetProtocol::kTcp, "fd00::", 9, 0, 65535),
                    rule(NetProtocol::kUdp, "192.0.2.7", 32, 53, 53)};
    const NetPolicy policy(config);
    const auto reach = [&](NetProtocol protocol, const char* address, uint16_t port) {
        return policy.may_reach(protocol, {ip(address), port});
    };
    EXPECT_TRUE(reach(NetProtocol::kTcp, "10.1.255.1", 80));
    EXPECT_TRUE(reach(NetProtocol::kTcp, "10.1.0.0", 90));
    EXPECT_FALSE(reach(NetProtocol::kTcp, "10.1.0.0", 91));
    EXPECT_FALSE(reach(NetProtocol::kTcp, "10.2.0.0", 80));
    EXPECT_FALSE(reach(NetProtocol::kUdp, "10.1.0.0", 80));
    EXPECT_TRUE(reach(NetProtocol::kTcp, "fd7f::1", 1));
    EXPECT_FALSE(reach(NetProtocol::kTcp, "fd80::1", 1));
    EXPECT_FALSE(reach(NetProtocol::kTcp, "::1", 1));
    EXPECT_TRUE(reach(NetProtocol::kUdp, "192.0.2.7", 53));
    EXPECT_FALSE(reach(NetProtocol::kUdp, "192.0.2.6", 53));
    EXPECT_FALSE(NetPolicy().may_reach(NetProtocol::kTcp, {ip("127.0.0.1"), 80}));
    // All of IPv6 is not IPv4.
    NetConfig six;
    six.allow = {rule(NetProtocol::kTcp, "::", 0, 0, 65535)};
    EXPECT_FALSE(NetPolicy(six).may_reach(NetProtocol::kTcp, {ip("127.0.0.1"), 80}));
    EXPECT_FALSE(NetPolicy(six).reaches_all(NetProtocol::kTcp));
    EXPECT_TRUE(NetPolicy(allow_all()).reaches_all(NetProtocol::kUdp));
}

TEST(NetPolicy, BindsGoWhereBothSidesWant) {
    NetConfig config;
    config.publish = {{NetProtocol::kTcp, ip("127.0.0.1"), 8080, 8080, 80},
                      {NetProtocol::kTcp, ip("::1"), 8081, 8081, 80},
                      {NetProtocol::kUdp, ip("0.0.0.0"), 5000, 5009, 5000}};
    const NetPolicy policy(config);
    std::array<BindChoice, 64> out;
    const auto choices = [&](NetProtocol protocol, const char* address, uint16_t port, uint32_t start = 0) {
        return policy.bind_choices(protocol, {ip(address), port}, start, out);
    };
    ASSERT_EQ(choices(NetProtocol::kTcp, "0.0.0.0", 80), 1);
    EXPECT_EQ(out[0].host, (Endpoint{ip("127.0.0.1"), 8080}));
    EXPECT_EQ(out[0].guest_port, 80);
    ASSERT_EQ(choices(NetProtocol::kTcp, "::", 80), 2);
    EXPECT_EQ(out[1].host, (Endpoint{ip("::1"), 8081}));
    ASSERT_EQ(choices(NetProtocol::kTcp, "::1", 80), 1);
    EXPECT_EQ(out[0].host, (Endpoint{ip("::1"), 8081}));
    EXPECT_EQ(choices(NetProtocol::kTcp, "192.0.2.1", 80), -EADDRNOTAVAIL);
    EXPECT_EQ(choices(NetProtocol::kTcp, "0.0.0.0", 8080), -EPERM) << "the host's number is not the guest's";
    EXPECT_EQ(choices(NetProtocol::kTcp, "0.0.0.0", 0), -EPERM) << "no range is published";
    EXPECT_EQ(choices(NetProtocol::kUdp, "0.0.0.0", 80), -EPERM);
    ASSERT_EQ(choices(NetProtocol::kUdp, "127.0.0.1", 5004), 1);
    EXPECT_EQ(out[0].host, (Endpoint{ip("127.0.0.1"), 5004}));
    ASSERT_EQ(choices(NetProtocol::kUdp, "0.0.0.0", 0, 13), 10);
    EXPECT_EQ(out[0].host.port, 5003);
    EXPECT_EQ(out[9].guest_port, 5002);
    EXPECT_EQ(choices(NetProtocol::kUdp, "::1", 0), -EADDRNOTAVAIL);
    ASSERT_EQ(policy.bind_choices(NetProtocol::kUdp, {ip("0.0.0.0"), 0}, 0, std::span(out).first(3)), 3);
}

TEST(NetPolicy, PeersAreForgottenInTheEnd) {
    RecentPeers peers;
    const auto peer = [](uint16_t port) { return Endpoint{ip("192.0.2.1"), port}; };
    for (uint16_t port = 1; port < 1000; port++)
        peers.add(peer(port));
    EXPECT_TRUE(peers.has(peer(1)));
    EXPECT_FALSE(peers.has(peer(1000)));
    for (uint16_t port = 1000; port < 20000; port++)
        peers.add(peer(port));
    EXPECT_FALSE(peers.has(peer(1)));
    EXPECT_TRUE(peers.has(peer(19000)));
}

class Network : public ::testing::Test {
  protected:
    std::unique_ptr<Domain> domain(NetConfig net, bool writable = true) {
        DomainConfig config;
        config.shares.push_back({dir_.path().string(), writable});
        config.net = std::move(net);
        return engine_.create_domain(std::move(config));
    }
    // A UDP socket of the host's own.
    static UniqueFd host_udp(uint16_t* port) {
        UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof(in)), 0);
        socklen_t length = sizeof(in);
        getsockname(fd.get(), reinterpret_cast<sockaddr*>(&in), &length);
        *port = ntohs(in.sin_port);
        return fd;
    }
    static void send_from(const UniqueFd& fd, uint16_t port, const char* text) {
        const Bytes to = address_of("127.0.0.1", port);
        EXPECT_EQ(sendto(fd.get(), text, strlen(text), 0, reinterpret_cast<const sockaddr*>(to.data()), 16),
                  static_cast<ssize_t>(strlen(text)));
    }

    TempDir dir_;
    Engine engine_{EngineConfig{.blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
};

TEST_F(Network, NothingIsAllowedByDefault) {
    const auto none = domain({});
    SocketClient client(*none);
    for (const int family : {AF_INET, AF_INET6, AF_UNIX})
        EXPECT_EQ(client.socket(family, SOCK_STREAM), -EPERM);
}

TEST_F(Network, OnlyKnownKindsOfSocketsExist) {
    const auto all = domain(allow_all());
    SocketClient client(*all);
    EXPECT_EQ(client.socket(AF_INET, SOCK_RAW), -EPERM);
    EXPECT_EQ(client.socket(AF_INET, SOCK_RAW, IPPROTO_TCP), -EPERM);
    EXPECT_EQ(client.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), -EPROTONOSUPPORT);
    EXPECT_EQ(client.socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP), -EPROTONOSUPPORT);
    EXPECT_EQ(client.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK), -ESOCKTNOSUPPORT);
    EXPECT_EQ(client.socket(AF_INET, SOCK_SEQPACKET), -ESOCKTNOSUPPORT);
    EXPECT_EQ(client.socket(AF_INET, 0), -ESOCKTNOSUPPORT);
    for (const int family : {AF_PACKET, AF_NETLINK, AF_VSOCK, AF_ALG, AF_UNSPEC, AF_BLUETOOTH, 0xffff})
        EXPECT_EQ(client.socket(family, SOCK_STREAM), -EAFNOSUPPORT) << family;
    EXPECT_EQ(client.socket(AF_UNIX, SOCK_STREAM), -EPERM) << "sockets in shares are not part of the network";
    EXPECT_GT(client.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), 0);
    EXPECT_GT(client.socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP), 0);
}

TEST_F(Network, ConnectionsAreJudged) {
    uint16_t port = 0;
    const UniqueFd listens(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(listen(listens.get(), 5), 0);
    sockaddr_in in{};
    socklen_t length = sizeof(in);
    getsockname(listens.get(), reinterpret_cast<sockaddr*>(&in), &length);
    port = ntohs(in.sin_port);
    NetConfig config;
    config.allow = {rule(NetProtocol::kTcp, "127.0.0.1", 32, port, port)};
    const auto some = domain(config);
    SocketClient client(*some);
    const auto try_connect = [&](int family, const Bytes& address) {
        const uint32_t s = client.must(client.socket(family, SOCK_STREAM));
        const int result = client.connect(s, address);
        client.simple(FC_OP_CLOSE, s);
        return result;
    };
    EXPECT_EQ(try_connect(AF_INET, address_of("127.0.0.1", port)), 0);
    EXPECT_EQ(try_connect(AF_INET, address_of("127.0.0.1", static_cast<uint16_t>(port + 1))), -EPERM);
    EXPECT_EQ(try_connect(AF_INET, address_of("127.0.0.2", port)), -EPERM);
    EXPECT_EQ(try_connect(AF_INET, address_of("0.0.0.0", port)), 0) << "this is loopback";
    if (have_ipv6()) {
        EXPECT_EQ(try_connect(AF_INET6, address_of("::ffff:127.0.0.1", port)), 0);
        EXPECT_EQ(try_connect(AF_INET6, address_of("::ffff:0.0.0.0", port)), 0);
        EXPECT_EQ(try_connect(AF_INET6, address_of("::ffff:127.0.0.2", port)), -EPERM);
        EXPECT_EQ(try_connect(AF_INET6, address_of("::1", port)), -EPERM);
        EXPECT_EQ(try_connect(AF_INET6, address_of("::", port)), -EPERM) << "this is ::1";
        EXPECT_EQ(try_connect(AF_INET6, address_of("::127.0.0.1", port)), -EPERM);
    }
    // A UDP rule would be another one; and an unbound listener would be a port that nobody published.
    const uint32_t udp = client.must(client.socket(AF_INET, SOCK_DGRAM));
    EXPECT_EQ(client.send_to(udp, address_of("127.0.0.1", port), "x"), -EPERM);
    EXPECT_EQ(client.connect(udp, address_of("127.0.0.1", port)), -EPERM);
    Bytes unspecific = address_of("127.0.0.1", port);
    unspecific[0] = unspecific[1] = std::byte{0};  // AF_UNSPEC, which some calls of Linux take for AF_INET
    EXPECT_EQ(client.send_to(udp, unspecific, "x"), -EAFNOSUPPORT);
    EXPECT_EQ(client.bind(udp, unspecific), -EAFNOSUPPORT);
    const uint32_t s = client.must(client.socket(AF_INET, SOCK_STREAM));
    EXPECT_EQ(client.simple(FC_OP_LISTEN, s, 5), -EPERM);
    EXPECT_EQ(client.connect(s, address_of("127.0.0.1", port)), 0);
    EXPECT_EQ(client.connect(s, unspecific), 0) << "disconnects";
    EXPECT_EQ(client.simple(FC_OP_LISTEN, s, 5), -EPERM) << "the port it had is not a published one";
}

TEST_F(Network, PublishedPortsAreMapped) {
    NetConfig config;
    const auto host_port = static_cast<uint16_t>(31000 + getpid() % 500 * 2);
    config.publish = {{NetProtocol::kTcp, ip("127.0.0.1"), host_port, host_port, 80}};
    const auto published = domain(config);
    SocketClient client(*published);
    const uint32_t s = client.must(client.socket(AF_INET, SOCK_STREAM));
    EXPECT_EQ(client.bind(s, address_of("0.0.0.0", 81)), -EPERM);
    EXPECT_EQ(client.bind(s, address_of("0.0.0.0", 0)), -EPERM);
    EXPECT_EQ(client.bind(s, address_of("192.0.2.1", 80)), -EADDRNOTAVAIL);
    ASSERT_EQ(client.bind(s, address_of("0.0.0.0", 80)), 0);
    EXPECT_EQ(client.bound_port(s), 80);
    ASSERT_EQ(client.simple(FC_OP_LISTEN, s, ~0ull), 0);
    const UniqueFd peer(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Bytes to = address_of("127.0.0.1", host_port);
    ASSERT_EQ(connect(peer.get(), reinterpret_cast<const sockaddr*>(to.data()), 16), 0);
    const uint32_t accepted = client.must(client.simple(FC_OP_ACCEPT, s));
    EXPECT_EQ(client.bound_port(accepted), 80);
    // Another VM cannot share the port, and learns that.
    const auto other = domain(config);
    SocketClient second(*other);
    const uint32_t t = second.must(second.socket(AF_INET, SOCK_STREAM));
    EXPECT_EQ(second.set_option(t, SOL_SOCKET, SO_REUSEPORT, 1), -EPERM);
    EXPECT_EQ(second.bind(t, address_of("0.0.0.0", 80)), -EADDRINUSE);
}

TEST_F(Network, DatagramPortsAreNeverShared) {
    NetConfig config;
    const auto port = static_cast<uint16_t>(33000 + getpid() % 500 * 2);
    config.publish = {{NetProtocol::kUdp, ip("127.0.0.1"), port, port, port}};
    const auto one = domain(config), two = domain(config);
    SocketClient a(*one), b(*two);
    const uint32_t s = a.must(a.socket(AF_INET, SOCK_DGRAM)), t = b.must(b.socket(AF_INET, SOCK_DGRAM));
    EXPECT_EQ(a.set_option(s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    EXPECT_EQ(b.set_option(t, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    EXPECT_EQ(a.get_option(s, SOL_SOCKET, SO_REUSEADDR), 1);
    EXPECT_EQ(a.bind(s, address_of("127.0.0.1", port)), 0);
    EXPECT_EQ(b.bind(t, address_of("127.0.0.1", port)), -EADDRINUSE);
}

TEST_F(Network, DatagramsFromStrangersAreDropped) {
    uint16_t friend_port = 0, stranger_port = 0;
    const UniqueFd friendly = host_udp(&friend_port), stranger = host_udp(&stranger_port);
    NetConfig config;
    config.allow = {rule(NetProtocol::kUdp, "127.0.0.1", 32, friend_port, friend_port)};
    const auto some = domain(config);
    SocketClient client(*some);
    const uint32_t s = client.must(client.socket(AF_INET, SOCK_DGRAM));
    EXPECT_EQ(client.send_to(s, address_of("127.0.0.1", stranger_port), "x"), -EPERM);
    EXPECT_EQ(client.send_to(s, address_of("127.0.0.1", friend_port), "x"), 1);
    const uint16_t own = client.bound_port(s);
    memset(client.arena() + kData, 0, 100);
    for (int i = 0; i < 40; i++)
        send_from(stranger, own, "secret");
    EXPECT_EQ(client.recv(s, 100, FC_MSG_DONTWAIT), std::to_string(-EAGAIN));
    EXPECT_EQ(client.recv(s, 100, FC_MSG_DONTWAIT | FC_MSG_PEEK), std::to_string(-EAGAIN));
    EXPECT_EQ(client.arena()[kData], std::byte{0}) << "not even into memory";
    const fc_command waits = client.recv_command(s, kData, 100);
    client.post(waits);
    for (int i = 0; i < 40; i++)
        send_from(stranger, own, "secret");
    send_from(friendly, own, "reply");
    EXPECT_EQ(client.wait().event.result, 5);
    EXPECT_EQ(memcmp(client.arena() + kData, "reply", 5), 0);
}

TEST_F(Network, PublishedUdpAnswersWhomItHeard) {
    uint16_t caller_port = 0, other_port = 0;
    const UniqueFd caller = host_udp(&caller_port), other = host_udp(&other_port);
    NetConfig config;
    publish_range(config, "127.0.0.1");
    const auto published = domain(config);
    SocketClient client(*published);
    const uint32_t s = client.must(client.socket(AF_INET, SOCK_DGRAM));
    ASSERT_EQ(client.bind(s, address_of("0.0.0.0", 0)), 0);
    EXPECT_EQ(client.send_to(s, address_of("127.0.0.1", caller_port), "x"), -EPERM);
    send_from(caller, client.bound_port(s), "question");
    EXPECT_EQ(client.recv(s), "question");
    EXPECT_EQ(client.send_to(s, address_of("127.0.0.1", caller_port), "answer"), 6);
    EXPECT_EQ(client.send_to(s, address_of("127.0.0.1", other_port), "x"), -EPERM);
    char text[10];
    EXPECT_EQ(recv(caller.get(), text, sizeof(text), 0), 6);
}

TEST_F(Network, UnixSocketsFollowTheShare) {
    NetConfig config;
    config.unix_sockets = true;
    const auto read_only = domain(config, false);
    SocketClient client(*read_only);
    const uint32_t s = client.must(client.socket(AF_UNIX, SOCK_STREAM));
    EXPECT_EQ(client.bind(s, unix_address("x")), -EROFS);
    EXPECT_EQ(client.connect(s, unix_address("x")), -ENOENT);
    const uint32_t useless = client.must(client.socket(AF_INET, SOCK_STREAM));
    EXPECT_EQ(client.connect(useless, address_of("127.0.0.1", 1)), -EPERM);
}

TEST_F(Network, OptionsOutsideTheTableDoNotExist) {
    const auto all = domain(allow_all());
    SocketClient client(*all);
    const uint32_t s = client.must(client.socket(AF_INET, SOCK_STREAM));
    const std::pair<int, int> refused[] = {
        {SOL_SOCKET, SO_PEEK_OFF},   {SOL_SOCKET, SO_BINDTODEVICE}, {SOL_SOCKET, SO_MARK},
        {SOL_SOCKET, SO_RCVTIMEO},   {SOL_SOCKET, SO_PASSCRED},     {SOL_SOCKET, SO_ATTACH_FILTER},
        {SOL_SOCKET, SO_TYPE},       {IPPROTO_IP, IP_TRANSPARENT},  {IPPROTO_IP, IP_OPTIONS},
        {IPPROTO_IP, IP_RECVERR},    {IPPROTO_TCP, TCP_REPAIR},     {IPPROTO_TCP, TCP_ULP},
        {IPPROTO_TCP, TCP_FASTOPEN}, {IPPROTO_TCP, TCP_MD5SIG},     {-1, -1}};
    for (const auto& [level, name] : refused)
        EXPECT_EQ(client.set_option(s, level, name, 1), -ENOPROTOOPT) << level << " " << name;
    EXPECT_EQ(client.get_option(s, SOL_SOCKET, SO_PEERCRED), -ENOPROTOOPT - 1000000);
    EXPECT_EQ(client.set_option(s, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    EXPECT_EQ(client.get_option(s, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(client.get_option(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    fc_command c = client.with_memory(
        client.command(FC_OP_SETSOCKOPT, s, SOL_SOCKET | uint64_t{SO_KEEPALIVE} << 32), kData, 3);
    EXPECT_EQ(client.run(c).result, -EINVAL);
    c.opcode = FC_OP_GETSOCKOPT;
    EXPECT_EQ(client.run(c).result, 3);
    c.length = 4000;
    EXPECT_EQ(client.run(c).result, 4);
    c.buffer = TestClient::kArenaBytes - 2;
    EXPECT_EQ(client.run(c).result, -EFAULT);
}

// Addresses of every length and family, messages with absurd parts: an errno each time, and the next client
// gets its service.
TEST_F(Network, HostileAddressesAndMessages) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    NetConfig config;
    config.allow = {rule(NetProtocol::kTcp, "192.0.2.1", 32, 1, 1)};
    config.unix_sockets = true;
    const auto some = domain(config);
    SocketClient client(*some);
    std::vector<uint32_t> sockets;
    for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
        for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
            const int s = client.socket(family, type);
            if (s > 0) sockets.push_back(static_cast<uint32_t>(s));
        }
    }
    for (uint32_t length = 0; length <= 200; length++) {
        for (const uint16_t family : {0, 1, 2, 10, 16, 17, 40, 0xffff}) {
            for (int i = 0; i < 200; i++)
                client.arena()[SocketClient::kAddress + i] = static_cast<std::byte>(random());
            memcpy(client.arena() + SocketClient::kAddress, &family, 2);
            const uint32_t s = sockets[random() % sockets.size()];
            for (const uint8_t op : {FC_OP_BIND, FC_OP_CONNECT}) {
                const fc_command c =
                    client.with_memory(client.command(op, s), SocketClient::kAddress, length);
                const int result = client.run(c).result;
                // Only disconnecting is something that anybody may do; and any bytes are the name of a file.
                const bool harmless = family == 0 ? op == FC_OP_CONNECT : family == AF_UNIX;
                EXPECT_TRUE(result < 0 || harmless) << family << " " << length;
            }
        }
    }
    const uint32_t s = sockets.back();
    const auto any = [&](std::initializer_list<uint64_t> often) {
        const size_t pick = random() % (often.size() + 1);
        return pick == often.size() ? random() >> (random() % 64) : often.begin()[pick];
    };
    for (int i = 0; i < 3000; i++) {
        fc_msg message{};
        message.name = {any({0, 8192}), static_cast<uint32_t>(any({0, 0})),
                        static_cast<uint32_t>(any({0, 16, 128}))};
        message.iov = any({8192, 8193, TestClient::kArenaBytes - 16, ~0ull});
        message.iov_count = static_cast<uint32_t>(any({0, 1, 64, 65, ~0u}));
        message.ancillary = static_cast<uint32_t>(any({0, 0, 0, sizeof(fc_ancillary)}));
        memcpy(client.arena() + SocketClient::kMessage, &message, sizeof(message));
        for (int k = 0; k < 64; k++) {
            const fc_iov piece{any({0, kData, TestClient::kArenaBytes}),
                               static_cast<uint32_t>(any({0, 0, 5})),
                               static_cast<uint32_t>(any({0, 1, 4096, ~0u}))};
            memcpy(client.arena() + 8192 + k * sizeof(piece), &piece, sizeof(piece));
        }
        fc_command c = client.command(random() % 2 ? FC_OP_SENDMSG : FC_OP_RECVMSG, s);
        c.buffer = any({SocketClient::kMessage, TestClient::kArenaBytes - 39});
        c.length = static_cast<uint32_t>(any({40, 39, 80, 79, 0, ~0u}));
        c.op_flags = static_cast<uint16_t>(FC_MSG_DONTWAIT | any({0, 0, 0, 2}));
        EXPECT_LT(client.run(c).result, 1);
    }
    fc_command c = client.recv_command(s, 0, 0xffffffff);
    EXPECT_EQ(client.run(c).result, -EFAULT);
    c = client.command(FC_OP_ACCEPT, s);
    c.flags = FC_F_MULTISHOT;
    c.length = 16;
    EXPECT_EQ(client.run(c).result, -EINVAL);
    c = client.recv_command(s, kData, 16);
    c.flags = FC_F_MULTISHOT;
    EXPECT_EQ(client.run(c).result, -EINVAL);
    c = client.recv_command(s, kData, 16, FC_MSG_POOL);
    EXPECT_EQ(client.run(c).result, -EINVAL);
    c = client.recv_command(s, kData, 16, 0x1000);
    EXPECT_EQ(client.run(c).result, -EINVAL);
    SocketClient bystander(*some);
    EXPECT_EQ(bystander.run(nop(1, 3)).result, 3);
}

}  // namespace
}  // namespace farcall::test
