// SPDX-License-Identifier: MIT
// Cases of what datagrams bring and take along beside their data, and of those that are odd in themselves.
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "guest-lib/demo/twins.h"

namespace farcall::demo {
namespace {

Descriptor bound(const World& world) {
    Descriptor fd = world.make(SOCK_DGRAM);
    must("bind", world.bind(fd.get(), world.bind_port));
    return fd;
}

long set(int fd, int level, int option, int value) {
    return ::setsockopt(fd, level, option, &value, sizeof(value));
}

/// One message with room for control messages.
struct Message {
    explicit Message(size_t room) {
        message.msg_name = &name;
        message.msg_namelen = sizeof(name);
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = room;
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    template <typename T>
    void add(int level, int type, const T& value) {
        auto* header = reinterpret_cast<cmsghdr*>(control.data() + message.msg_controllen);
        header->cmsg_level = level;
        header->cmsg_type = type;
        header->cmsg_len = CMSG_LEN(sizeof(T));
        std::memcpy(CMSG_DATA(header), &value, sizeof(T));
        message.msg_controllen += CMSG_SPACE(sizeof(T));
    }

    sockaddr_storage name{};
    std::array<char, 16> data{};
    iovec piece{data.data(), data.size()};
    alignas(cmsghdr) std::array<char, 512> control{};
    msghdr message{};
};

std::string hex(const unsigned char* bytes, size_t count) {
    std::string out;
    for (size_t i = 0; i < count; i++) {
        std::array<char, 3> digits;
        std::snprintf(digits.data(), digits.size(), "%02x", bytes[i]);
        out += digits.data();
    }
    return out;
}

// A time of arrival as whether it can be one.
std::string describe(const cmsghdr& header) {
    const size_t bytes = header.cmsg_len - CMSG_LEN(0);
    if (header.cmsg_level != SOL_SOCKET) return hex(CMSG_DATA(&header), bytes);
    int64_t seconds;
    std::memcpy(&seconds, CMSG_DATA(&header), sizeof(seconds));
    const int64_t now = ::time(nullptr);
    return std::to_string(bytes) + (seconds > now - 60 && seconds < now + 60 ? " a time" : " no time");
}

void receive(Log& log, const std::string& what, int fd, size_t room = 512) {
    Message got(room);
    log.call(what, ::recvmsg(fd, &got.message, 0));
    log.note(what + ", flags", got.message.msg_flags);
    for (const cmsghdr* header = CMSG_FIRSTHDR(&got.message); header != nullptr;
         header = CMSG_NXTHDR(&got.message, const_cast<cmsghdr*>(header)))
        log.note(what + " " + std::to_string(header->cmsg_level) + " " + std::to_string(header->cmsg_type),
                 describe(*header));
}

long send_with(const World& world, int fd, const sockaddr_storage& to, Message& message) {
    message.name = to;
    message.message.msg_namelen = world.length();
    message.piece.iov_len = 4;
    return ::sendmsg(fd, &message.message, 0);
}

struct Pair {
    Descriptor server, client;
    sockaddr_storage from{};  ///< the client, as the server sees it
};

Pair acquainted(const World& world) {
    Pair out{bound(world), world.make(SOCK_DGRAM), {}};
    must("connect", world.connect(out.client.get(), world.connect_port));
    must("send", ::send(out.client.get(), "hello", 5, 0));
    std::array<char, 8> buffer;
    socklen_t length = sizeof(out.from);
    must("recv", ::recvfrom(out.server.get(), buffer.data(), buffer.size(), 0,
                            reinterpret_cast<sockaddr*>(&out.from), &length));
    return out;
}

void brings(const World& world, Log& log) {
    const bool six = world.family == AF_INET6;
    const Pair pair = acquainted(world);
    const int server = pair.server.get(), client = pair.client.get();
    log.call("ttl",
             six ? set(client, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44) : set(client, IPPROTO_IP, IP_TTL, 44));
    log.call("tos",
             six ? set(client, IPPROTO_IPV6, IPV6_TCLASS, 0x20) : set(client, IPPROTO_IP, IP_TOS, 0x20));
    const std::array<std::pair<int, int>, 3> options =
        six ? std::array<std::pair<int, int>, 3>{{{IPPROTO_IPV6, IPV6_RECVPKTINFO},
                                                  {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
                                                  {IPPROTO_IPV6, IPV6_RECVTCLASS}}}
            : std::array<std::pair<int, int>, 3>{
                  {{IPPROTO_IP, IP_PKTINFO}, {IPPROTO_IP, IP_RECVTTL}, {IPPROTO_IP, IP_RECVTOS}}};
    for (const auto& [level, option] : options) {
        log.call("option", set(server, level, option, 1));
        must("send", ::send(client, "data", 4, 0));
        receive(log, "with " + std::to_string(option), server);
    }
    log.call("SO_TIMESTAMP", set(server, SOL_SOCKET, SO_TIMESTAMP, 1));
    must("send", ::send(client, "data", 4, 0));
    receive(log, "all", server);
    log.call("SO_TIMESTAMPNS", set(server, SOL_SOCKET, SO_TIMESTAMPNS, 1));
    for (const size_t room : {0, 8, 20, 40, 64, 512}) {
        must("send", ::send(client, "data", 4, 0));
        receive(log, "room " + std::to_string(room), server, room);
    }
    log.call("no SO_TIMESTAMPNS", set(server, SOL_SOCKET, SO_TIMESTAMPNS, 0));
    for (const auto& [level, option] : options)
        log.call("no option", set(server, level, option, 0));
    must("send", ::send(client, "data", 4, 0));
    receive(log, "none", server);
}

template <typename T>
void send_one(const World& world, Log& log, const char* what, const Pair& pair, int level, int type,
              const T& value) {
    Message message(0);
    message.add(level, type, value);
    if (log.call(what, send_with(world, pair.server.get(), pair.from, message)) > 0)
        receive(log, what, pair.client.get());
}

void takes_along(const World& world, Log& log) {
    const Pair pair = acquainted(world);
    if (world.family == AF_INET6) {
        log.call("ask", set(pair.client.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
        log.call("ask", set(pair.client.get(), IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
        in6_pktinfo info{in6addr_loopback, 0};
        send_one(world, log, "source", pair, IPPROTO_IPV6, IPV6_PKTINFO, info);
        info.ipi6_ifindex = 1;
        send_one(world, log, "source and device", pair, IPPROTO_IPV6, IPV6_PKTINFO, info);
        info.ipi6_ifindex = 99;
        send_one(world, log, "no device", pair, IPPROTO_IPV6, IPV6_PKTINFO, info);
        send_one(world, log, "short", pair, IPPROTO_IPV6, IPV6_PKTINFO, 1);
        send_one(world, log, "hops", pair, IPPROTO_IPV6, IPV6_HOPLIMIT, 55);
        send_one(world, log, "hops, wrong", pair, IPPROTO_IPV6, IPV6_HOPLIMIT, 256);
        send_one(world, log, "class", pair, IPPROTO_IPV6, IPV6_TCLASS, 0x40);
        send_one(world, log, "nonsense", pair, IPPROTO_IPV6, 200, 1);
        return;
    }
    log.call("ask", set(pair.client.get(), IPPROTO_IP, IP_RECVTTL, 1));
    log.call("ask", set(pair.client.get(), IPPROTO_IP, IP_RECVTOS, 1));
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK);
    send_one(world, log, "source", pair, IPPROTO_IP, IP_PKTINFO, info);
    info.ipi_ifindex = 1;
    send_one(world, log, "source and device", pair, IPPROTO_IP, IP_PKTINFO, info);
    info.ipi_ifindex = 99;
    send_one(world, log, "no device", pair, IPPROTO_IP, IP_PKTINFO, info);
    send_one(world, log, "short", pair, IPPROTO_IP, IP_PKTINFO, 1);
    send_one(world, log, "ttl", pair, IPPROTO_IP, IP_TTL, 55);
    send_one(world, log, "ttl, wrong", pair, IPPROTO_IP, IP_TTL, 0);
    send_one(world, log, "tos", pair, IPPROTO_IP, IP_TOS, 0x40);
    send_one(world, log, "tos, a byte", pair, IPPROTO_IP, IP_TOS, static_cast<char>(0x40));
    send_one(world, log, "nonsense", pair, IPPROTO_IP, 200, 1);
}

void odd(const World& world, Log& log) {
    Pair pair = acquainted(world);
    const int server = pair.server.get(), client = pair.client.get();
    std::array<char, 16> buffer{};
    const auto recv = [&](const char* what, size_t bytes, int flags) {
        log.call(what, ::recv(server, buffer.data(), bytes, flags));
    };
    const auto queue = [&](const char* what, int fd, unsigned long request) {
        int bytes = -1;
        log.call(what, ::ioctl(fd, request, &bytes));
        log.note(what, bytes);
    };
    recv("none, peek", 4, MSG_PEEK | MSG_DONTWAIT);
    recv("none, all", 4, MSG_WAITALL | MSG_DONTWAIT);
    log.call("empty", ::send(client, "", 0, 0));
    log.note("ready", ready(server, POLLIN, 10000));
    queue("SIOCINQ of an empty one", server, SIOCINQ);
    recv("empty, peek", 4, MSG_PEEK);
    recv("empty", 4, MSG_DONTWAIT);
    recv("none", 4, MSG_DONTWAIT);
    log.call("ten", ::send(client, "0123456789", 10, 0));
    log.call("two", ::send(client, "ab", 2, 0));
    ready(server, POLLIN, 10000);
    queue("SIOCINQ of the first", server, SIOCINQ);
    recv("peek", 4, MSG_PEEK);
    recv("peek, trunc", 4, MSG_PEEK | MSG_TRUNC);
    recv("peek, trunc, no room", 0, MSG_PEEK | MSG_TRUNC);
    recv("all is one datagram", 16, MSG_WAITALL);
    recv("no room", 0, MSG_TRUNC);
    recv("none", 4, MSG_DONTWAIT);
    log.call("out of band", ::recv(server, nullptr, 0, MSG_OOB | MSG_DONTWAIT));
    log.call("send out of band", ::send(client, "x", 1, MSG_OOB));
    queue("SIOCOUTQ", client, SIOCOUTQ);
    int value = 0;
    socklen_t length = sizeof(value);
    // Nobody is there any more.
    pair.server.close();
    log.call("send", ::send(client, "x", 1, 0));
    log.note("refused", ready(client, POLLIN, 10000));
    log.call("SO_ERROR", ::getsockopt(client, SOL_SOCKET, SO_ERROR, &value, &length));
    log.note("error", value);
    log.call("send", ::send(client, "x", 1, 0));
    ready(client, POLLIN, 10000);
    log.call("recv", ::recv(client, buffer.data(), 1, MSG_DONTWAIT));
    log.call("recv again", ::recv(client, buffer.data(), 1, MSG_DONTWAIT));
    // Connected twice: the second one counts.
    log.call("connect again", world.connect(client, 9));
    sockaddr_storage name{};
    length = sizeof(name);
    log.call("getpeername", ::getpeername(client, reinterpret_cast<sockaddr*>(&name), &length));
    log.note("port", port_of(name));
}

// Two sockets that may share a port: the later one, or both, but nothing is lost to nobody.
void shared_port(const World& world, Log& log) {
    const Descriptor first = world.make(SOCK_DGRAM), second = world.make(SOCK_DGRAM);
    for (const Descriptor* fd : {&first, &second}) {
        log.call("SO_REUSEPORT", set(fd->get(), SOL_SOCKET, SO_REUSEPORT, 1));
        log.call("bind", world.bind(fd->get(), world.bind_port));
    }
    std::vector<Descriptor> clients;
    for (int i = 0; i < 16; i++) {
        clients.push_back(world.make(SOCK_DGRAM));
        must("connect", world.connect(clients.back().get(), world.connect_port));
        must("send", ::send(clients.back().get(), "x", 1, 0));
    }
    int got = 0;
    char byte;
    for (int i = 0; i < 200 && got < 16; i++) {
        for (const Descriptor* fd : {&first, &second})
            if (ready(fd->get(), POLLIN, 10) > 0 && ::recv(fd->get(), &byte, 1, MSG_DONTWAIT) == 1) got++;
    }
    log.note("got", got);
}

}  // namespace

const std::vector<TwinCase> kControlCases = {{"brings", brings, true},
                                             {"takes-along", takes_along, true},
                                             {"odd", odd, true},
                                             {"shared-port-datagrams", shared_port}};

}  // namespace farcall::demo
