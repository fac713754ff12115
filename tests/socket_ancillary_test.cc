// SPDX-License-Identifier: MIT
// What datagrams bring and take along beside their data (struct fc_ancillary).
#include <chrono>
#include <ctime>
#include <filesystem>

#include "tests/socket_client.h"

namespace farcall::test {
namespace {

using std::chrono::seconds;

constexpr uint32_t kPktinfo = FC_ANCILLARY_IP_PKTINFO;

/// A domain whose published ports are on all addresses of this machine, or on one.
class Ancillary : public ::testing::Test {
  protected:
    std::unique_ptr<Domain> domain(const char* published) {
        DomainConfig config;
        config.net = allow_all();
        config.net.unix_sockets = true;
        config.shares.push_back({dir_.path().string(), true});
        publish_range(config.net, published);
        return engine_.create_domain(config);
    }
    /// A socket of this test, on `address`.
    static UniqueFd plain(const char* address) {
        UniqueFd fd(::socket(strchr(address, ':') ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const Bytes own = address_of(address, 0);
        EXPECT_EQ(::bind(fd.get(), raw(own), static_cast<socklen_t>(own.size())), 0);
        const timeval patience{10, 0};
        setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        return fd;
    }
    static const sockaddr* raw(const Bytes& address) {
        return reinterpret_cast<const sockaddr*>(address.data());
    }
    static Bytes name_of(const UniqueFd& fd) {
        Bytes out(sizeof(sockaddr_storage));
        auto length = static_cast<socklen_t>(out.size());
        EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(out.data()), &length), 0);
        out.resize(length);
        return out;
    }
    static uint32_t bound(SocketClient& client, const char* address, Bytes* name) {
        const uint32_t s = client.must(client.socket(strchr(address, ':') ? AF_INET6 : AF_INET, SOCK_DGRAM));
        EXPECT_EQ(client.bind(s, address_of(address, 0)), 0);
        *name = address_of(address, client.bound_port(s));
        return s;
    }
    static void send(const UniqueFd& from, const Bytes& to) {
        EXPECT_EQ(::sendto(from.get(), "data", 4, 0, raw(to), static_cast<socklen_t>(to.size())), 4)
            << strerror(errno);
    }
    static int receive(SocketClient& client, uint32_t s, fc_ancillary* out) {
        const int n = client.run(message(client, FC_OP_RECVMSG, s, 128, {})).result;
        memcpy(out, client.arena() + SocketClient::kMessage + sizeof(fc_msg), sizeof(*out));
        return n;
    }
    static int send_to(SocketClient& client, uint32_t s, const Bytes& to, const fc_ancillary& ancillary) {
        memcpy(client.arena() + SocketClient::kAddress, to.data(), to.size());
        return client.run(message(client, FC_OP_SENDMSG, s, static_cast<uint32_t>(to.size()), ancillary))
            .result;
    }
    // Not SocketClient::message(): the array of pieces has to make room.
    static fc_command message(SocketClient& client, uint8_t op, uint32_t s, uint32_t name,
                              const fc_ancillary& ancillary) {
        const fc_iov piece{SocketClient::kData, 0, 4};
        fc_msg out{};
        out.name = {SocketClient::kAddress, 0, name};
        out.iov = SocketClient::kMessage + 128;
        out.iov_count = 1;
        out.ancillary = sizeof(ancillary);
        memcpy(client.arena() + SocketClient::kMessage, &out, sizeof(out));
        memcpy(client.arena() + SocketClient::kMessage + sizeof(out), &ancillary, sizeof(ancillary));
        memcpy(client.arena() + out.iov, &piece, sizeof(piece));
        return client.with_memory(client.command(op, s), SocketClient::kMessage,
                                  sizeof(out) + sizeof(ancillary));
    }
    static fc_ancillary from(const char* address) {
        fc_ancillary out{};
        const IpAddress source = ip(address);
        out.present = source.v4 ? kPktinfo : FC_ANCILLARY_IPV6_PKTINFO;
        memcpy(source.v4 ? out.ip_local : out.ipv6_local, source.bytes.data(), source.v4 ? 4 : 16);
        return out;
    }
    /// Where the next datagram comes from, and its control messages in `control`.
    static Bytes sender(const UniqueFd& fd, std::array<char, 256>* control, msghdr* header) {
        static char data[16];
        static iovec piece{data, sizeof(data)};
        Bytes name(sizeof(sockaddr_storage));
        *header = {};
        header->msg_name = name.data();
        header->msg_namelen = static_cast<socklen_t>(name.size());
        header->msg_iov = &piece;
        header->msg_iovlen = 1;
        header->msg_control = control->data();
        header->msg_controllen = control->size();
        EXPECT_EQ(::recvmsg(fd.get(), header, 0), 4) << strerror(errno);
        name.resize(header->msg_namelen);
        return name;
    }

    TempDir dir_;
    Engine engine_{EngineConfig{.blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
    alignas(cmsghdr) std::array<char, 256> control_{};
    msghdr header_{};
};

TEST_F(Ancillary, BringsWhatOptionsAskFor) {
    const auto all = domain("0.0.0.0");
    SocketClient client(*all);
    Bytes name;
    const uint32_t s = bound(client, "0.0.0.0", &name);
    const Bytes to = address_of("127.0.0.3", port_of(name.data()));
    const UniqueFd peer = plain("127.0.0.1");
    const int ttl = 33, tos = 0x10;
    setsockopt(peer.get(), IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
    setsockopt(peer.get(), IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
    fc_ancillary got;
    send(peer, to);
    EXPECT_EQ(receive(client, s, &got), 4);
    EXPECT_EQ(got.present, 0u);
    for (const auto& [level, option] : {std::pair<int, int>{IPPROTO_IP, IP_PKTINFO},
                                        {IPPROTO_IP, IP_RECVTTL},
                                        {IPPROTO_IP, IP_RECVTOS},
                                        {SOL_SOCKET, SO_TIMESTAMPNS}})
        EXPECT_EQ(client.set_option(s, level, option, 1), 0);
    const auto before = std::chrono::system_clock::now().time_since_epoch();
    send(peer, to);
    EXPECT_EQ(receive(client, s, &got), 4);
    EXPECT_EQ(got.present, kPktinfo | FC_ANCILLARY_IP_TTL | FC_ANCILLARY_IP_TOS | FC_ANCILLARY_TIME);
    EXPECT_EQ(memcmp(got.ip_to, "\x7f\0\0\x03", 4), 0);
    EXPECT_EQ(memcmp(got.ip_local, "\x7f\0\0\x03", 4), 0);
    EXPECT_EQ(got.ttl, ttl);
    EXPECT_EQ(got.tos, tos);
    const auto arrived = std::chrono::nanoseconds(got.time);
    EXPECT_TRUE(arrived > before - seconds(10) && arrived < before + seconds(60));
    EXPECT_EQ(client.filled_message().flags & MSG_CTRUNC, 0u);
    // Who has no room is told what is lost.
    send(peer, to);
    EXPECT_EQ(client.run(client.message(FC_OP_RECVMSG, s, 128, SocketClient::kData, 4)).result, 4);
    EXPECT_EQ(client.filled_message().flags & MSG_CTRUNC, uint32_t{MSG_CTRUNC});
}

TEST_F(Ancillary, TakesWhereToSendFrom) {
    const auto all = domain("0.0.0.0");
    SocketClient client(*all);
    Bytes name;
    const uint32_t s = bound(client, "0.0.0.0", &name);
    const UniqueFd peer = plain("127.0.0.1");
    const int on = 1;
    setsockopt(peer.get(), IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
    fc_ancillary ancillary = from("127.0.0.5");
    ancillary.present |= FC_ANCILLARY_IP_TTL | FC_ANCILLARY_IP_TOS;
    ancillary.ttl = 44;
    ancillary.tos = 8;
    EXPECT_EQ(send_to(client, s, name_of(peer), ancillary), 4);
    EXPECT_EQ(sender(peer, &control_, &header_), address_of("127.0.0.5", port_of(name.data())));
    const cmsghdr* control = CMSG_FIRSTHDR(&header_);
    ASSERT_NE(control, nullptr);
    EXPECT_EQ(control->cmsg_type, IP_TTL);
    EXPECT_EQ(*CMSG_DATA(control), 44);
    // The kernel's choice.
    EXPECT_EQ(send_to(client, s, name_of(peer), from("0.0.0.0")), 4);
    EXPECT_EQ(sender(peer, &control_, &header_), address_of("127.0.0.1", port_of(name.data())));
    EXPECT_LT(send_to(client, s, name_of(peer), from("192.0.2.1")), 0);
}

TEST_F(Ancillary, Ipv6) {
    if (!have_ipv6()) GTEST_SKIP() << kNoIpv6;
    const auto all = domain("::");
    SocketClient client(*all);
    Bytes name;
    const uint32_t s = bound(client, "::", &name);
    const UniqueFd peer = plain("::1");
    for (const int option : {IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS})
        EXPECT_EQ(client.set_option(s, IPPROTO_IPV6, option, 1), 0);
    const int hops = 55, tclass = 0x20;
    setsockopt(peer.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops));
    setsockopt(peer.get(), IPPROTO_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
    fc_ancillary got;
    send(peer, address_of("::1", port_of(name.data())));
    EXPECT_EQ(receive(client, s, &got), 4);
    EXPECT_EQ(got.present, FC_ANCILLARY_IPV6_PKTINFO | FC_ANCILLARY_IPV6_HOPLIMIT | FC_ANCILLARY_IPV6_TCLASS);
    EXPECT_EQ(memcmp(got.ipv6_local, &in6addr_loopback, 16), 0);
    EXPECT_EQ(got.hop_limit, hops);
    EXPECT_EQ(got.traffic_class, tclass);
    EXPECT_EQ(send_to(client, s, name_of(peer), from("::1")), 4);
    EXPECT_EQ(sender(peer, &control_, &header_), address_of("::1", port_of(name.data())));
}

// Who was given one address can't speak for another.
TEST_F(Ancillary, SourceIsWhatTheSocketIsBoundTo) {
    const auto one = domain("127.0.0.1");
    SocketClient client(*one);
    Bytes name;
    const uint32_t s = bound(client, "127.0.0.1", &name);
    const UniqueFd peer = plain("127.0.0.1");
    EXPECT_EQ(send_to(client, s, name_of(peer), from("127.0.0.1")), 4);
    EXPECT_EQ(send_to(client, s, name_of(peer), from("127.0.0.2")), -EINVAL);
    const uint32_t unbound = client.must(client.socket(AF_INET, SOCK_DGRAM));
    EXPECT_EQ(send_to(client, unbound, name_of(peer), from("127.0.0.2")), -EINVAL);
    EXPECT_EQ(send_to(client, unbound, name_of(peer), from("0.0.0.0")), 4);
    // It has a port by now, but not by the policy.
    EXPECT_EQ(send_to(client, unbound, name_of(peer), from("127.0.0.2")), -EINVAL);
}

TEST_F(Ancillary, HostileOnesAreRefused) {
    const auto all = domain("0.0.0.0");
    SocketClient client(*all);
    Bytes name;
    const uint32_t s = bound(client, "0.0.0.0", &name);
    const UniqueFd peer = plain("127.0.0.1");
    for (const uint32_t bits :
         {uint32_t{FC_ANCILLARY_TIME}, 0x80u, 0x80000000u, ~0u, kPktinfo | FC_ANCILLARY_IPV6_PKTINFO}) {
        fc_ancillary ancillary{};
        ancillary.present = bits;
        EXPECT_EQ(send_to(client, s, name_of(peer), ancillary), -EINVAL) << bits;
    }
    uint32_t a, b;
    client.connected_pair(&a, &b);
    fc_ancillary ttl{};
    ttl.present = FC_ANCILLARY_IP_TTL;
    EXPECT_EQ(client.run(message(client, FC_OP_SENDMSG, a, 0, ttl)).result, -EINVAL);
    EXPECT_EQ(client.run(message(client, FC_OP_SENDMSG, a, 0, {})).result, 4);
    for (const uint32_t bytes : {1u, 39u, 41u, 4096u, ~0u}) {
        fc_command c = message(client, FC_OP_RECVMSG, b, 0, {});
        memcpy(client.arena() + SocketClient::kMessage + offsetof(fc_msg, ancillary), &bytes, 4);
        c.length = 4096;
        EXPECT_EQ(client.run(c).result, -EINVAL) << bytes;
    }
    fc_command c = message(client, FC_OP_RECVMSG, b, 0, {});
    c.length--;
    EXPECT_EQ(client.run(c).result, -EINVAL);
    fc_ancillary none;
    EXPECT_EQ(receive(client, b, &none), 4);
    EXPECT_EQ(none.present, 0u);
}

// Room for ancillary data is no way in for descriptors.
TEST_F(Ancillary, NoDescriptorComesIn) {
    const auto all = domain("0.0.0.0");
    SocketClient client(*all);
    const uint32_t s = client.must(client.socket(AF_UNIX, SOCK_DGRAM));
    ASSERT_EQ(client.bind(s, unix_address("s")), 0);
    const UniqueFd peer(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const Bytes to = unix_address((dir_.path() / "s").string());
    const int zero = 0;
    iovec piece{const_cast<char*>("data"), 4};
    header_.msg_name = const_cast<std::byte*>(to.data());
    header_.msg_namelen = static_cast<socklen_t>(to.size());
    header_.msg_iov = &piece;
    header_.msg_iovlen = 1;
    header_.msg_control = control_.data();
    header_.msg_controllen = CMSG_SPACE(sizeof(int));
    cmsghdr* control = CMSG_FIRSTHDR(&header_);
    *control = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(control), &zero, sizeof(zero));
    ASSERT_EQ(::sendmsg(peer.get(), &header_, 0), 4) << strerror(errno);
    const auto descriptors = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    const auto before = descriptors();
    fc_ancillary got;
    EXPECT_EQ(receive(client, s, &got), 4);
    EXPECT_EQ(got.present, 0u);
    EXPECT_EQ(descriptors(), before);
}

}  // namespace
}  // namespace farcall::test
