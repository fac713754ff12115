// SPDX-License-Identifier: MIT
// Cases of what is rarely done with a stream: odd flags, lengths of queues, states, mapped addresses, shared
// ports.
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sockios.h>

#include <array>
#include <cstring>
#include <thread>

#include "guest-lib/demo/twins.h"

namespace farcall::demo {
namespace {

std::string take(Log& log, const std::string& what, int fd, size_t bytes, int flags) {
    std::string out(bytes, '\0');
    const long n = log.call(what, ::recv(fd, out.data(), bytes, flags));
    out.resize(n > 0 && !(flags & MSG_TRUNC) ? static_cast<size_t>(n) : 0);
    log.note(what + " got", out);
    return out;
}

void flags(const World& world, Log& log) {
    auto [a, b] = world.pair();
    const int fd = b.get();
    for (const int flags :
         {int{MSG_PEEK}, int{MSG_WAITALL}, MSG_PEEK | MSG_WAITALL, int{MSG_TRUNC}, MSG_PEEK | MSG_TRUNC})
        take(log, "none " + std::to_string(flags), fd, 4, flags | MSG_DONTWAIT);
    send_all(a.get(), "0123456789");
    ready(fd, POLLIN, 10000);
    take(log, "peek", fd, 4, MSG_PEEK);
    take(log, "peek again", fd, 20, MSG_PEEK | MSG_DONTWAIT);
    take(log, "peek, nothing", fd, 0, MSG_PEEK);
    take(log, "peek, trunc", fd, 4, MSG_PEEK | MSG_TRUNC);
    take(log, "peek, all that is there", fd, 10, MSG_PEEK | MSG_WAITALL);
    take(log, "all, not waiting", fd, 20, MSG_WAITALL | MSG_DONTWAIT);
    send_all(a.get(), "thrown away, kept");
    ready(fd, POLLIN, 10000);
    take(log, "trunc", fd, 13, MSG_TRUNC);
    take(log, "kept", fd, 20, 0);
    std::thread later([to = a.get()] {
        for (const char* text : {"one", "two"})
            ::usleep(30000), static_cast<void>(::send(to, text, 3, 0));
    });
    take(log, "peek, all", fd, 6, MSG_PEEK | MSG_WAITALL);
    take(log, "all of it", fd, 6, MSG_WAITALL);
    later.join();
    // The end comes before all.
    send_all(a.get(), "short");
    ::shutdown(a.get(), SHUT_WR);
    take(log, "peek, all", fd, 20, MSG_PEEK | MSG_WAITALL);
    take(log, "all", fd, 20, MSG_WAITALL);
    log.call("out of band", ::recv(fd, nullptr, 0, MSG_OOB));
    const timeval time{0, 100000};
    auto [c, d] = world.pair();
    log.call("SO_RCVTIMEO", ::setsockopt(d.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
    send_all(c.get(), "part");
    take(log, "all, for a time", d.get(), 20, MSG_WAITALL);
    take(log, "none, for a time", d.get(), 20, MSG_WAITALL);
    const int at_least = 5;
    log.call("SO_RCVLOWAT", ::setsockopt(c.get(), SOL_SOCKET, SO_RCVLOWAT, &at_least, sizeof(at_least)));
    send_all(d.get(), "1234");
    log.note("too little to wake anybody", ready(c.get(), POLLIN, 200));
    send_all(d.get(), "567");
    log.note("enough", ready(c.get(), POLLIN, 10000));
    take(log, "at least", c.get(), 20, 0);
}

int ask(int fd, unsigned long request) {
    int bytes = -1;
    return ::ioctl(fd, request, &bytes) < 0 ? -errno : bytes;
}

void queues(const World& world, Log& log) {
    auto [a, b] = world.pair();
    const Descriptor listens = world.make(SOCK_STREAM), fresh = world.make(SOCK_STREAM);
    must("listen", ::listen(listens.get(), 1));
    log.note("SIOCINQ of a listener", ask(listens.get(), SIOCINQ));
    log.note("SIOCOUTQ of a listener", ask(listens.get(), SIOCOUTQ));
    log.note("SIOCINQ of a fresh one", ask(fresh.get(), SIOCINQ));
    log.note("SIOCOUTQ of a fresh one", ask(fresh.get(), SIOCOUTQ));
    log.note("SIOCOUTQNSD of a fresh one", ask(fresh.get(), SIOCOUTQNSD));
    send_all(a.get(), "12345");
    ready(b.get(), POLLIN, 10000);
    log.note("SIOCINQ", ask(b.get(), SIOCINQ));
    recv_all(b.get(), 2);
    log.note("SIOCINQ", ask(b.get(), SIOCINQ));
    for (int i = 0; i < 100 && ask(a.get(), SIOCOUTQ) != 0; i++)
        ::usleep(10000);
    log.note("SIOCOUTQ", ask(a.get(), SIOCOUTQ));
    const std::string block = pattern(100000, 7);
    do {
        while (::send(a.get(), block.data(), block.size(), MSG_DONTWAIT) > 0) {
        }
    } while (ready(a.get(), POLLOUT, 300) != 0);
    log.note("SIOCOUTQ when it is full", ask(a.get(), SIOCOUTQ) > 0);
    log.note("SIOCOUTQNSD when it is full", ask(a.get(), SIOCOUTQNSD) > 0);
    log.note("no more than that", ask(a.get(), SIOCOUTQNSD) <= ask(a.get(), SIOCOUTQ));
    log.note("SIOCINQ, the other", ask(b.get(), SIOCINQ) > 0);
    log.note("SIOCATMARK", ask(b.get(), SIOCATMARK));
}

// The state in TCP_INFO, once it is the expected one or stays another.
long state(int fd, long expected) {
    tcp_info info{};
    for (int i = 0; i < 300; i++) {
        socklen_t length = sizeof(info);
        must("TCP_INFO", ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
        if (info.tcpi_state == expected) break;
        ::usleep(10000);
    }
    return info.tcpi_state;
}

void states(const World& world, Log& log) {
    const Descriptor listens = world.listener(), fresh = world.make(SOCK_STREAM);
    log.note("fresh", state(fresh.get(), TCP_CLOSE));
    log.note("listens", state(listens.get(), TCP_LISTEN));
    Descriptor a = world.make(SOCK_STREAM);
    must("connect", world.connect(a.get(), world.connect_port));
    const Descriptor b(static_cast<int>(must("accept", ::accept(listens.get(), nullptr, nullptr))));
    log.note("connected", state(a.get(), TCP_ESTABLISHED));
    log.note("accepted", state(b.get(), TCP_ESTABLISHED));
    send_all(a.get(), pattern(1000, 1));
    recv_all(b.get(), 1000);
    tcp_info info{};
    socklen_t length = sizeof(info);
    log.call("TCP_INFO", ::getsockopt(b.get(), IPPROTO_TCP, TCP_INFO, &info, &length));
    log.note("all of it", length == sizeof(info));
    log.note("has a window and a segment size", info.tcpi_rcv_mss > 0 && info.tcpi_snd_cwnd > 0);
    length = 1;
    log.call("TCP_INFO, a byte of it", ::getsockopt(b.get(), IPPROTO_TCP, TCP_INFO, &info, &length));
    log.note("length", length);
    ::shutdown(a.get(), SHUT_WR);
    log.note("shut down", state(a.get(), TCP_FIN_WAIT2));
    log.note("has seen it", state(b.get(), TCP_CLOSE_WAIT));
    ::shutdown(b.get(), SHUT_WR);
    log.note("both", state(b.get(), TCP_CLOSE));
}

// A socket of IPv6 that talks IPv4.
void mapped(const World& world, Log& log) {
    if (world.family == AF_INET6) return;  // where nobody listens for IPv4
    const Descriptor listens = world.listener();
    World six = world;
    six.family = AF_INET6;
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(world.connect_port);
    const std::array<uint8_t, 16> address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    std::memcpy(&to.sin6_addr, address.data(), 16);
    const auto* raw = reinterpret_cast<const sockaddr*>(&to);
    const Descriptor only = six.make(SOCK_STREAM);
    const int one = 1;
    log.call("IPV6_V6ONLY", ::setsockopt(only.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)));
    log.call("connect, IPv6 only", ::connect(only.get(), raw, sizeof(to)));
    const Descriptor a = six.make(SOCK_STREAM);
    log.call("connect", ::connect(a.get(), raw, sizeof(to)));
    const Descriptor b(::accept(listens.get(), nullptr, nullptr));
    log.note("accepted", b.get() >= 0);
    sockaddr_storage name{};
    socklen_t length = sizeof(name);
    log.call("getpeername", ::getpeername(a.get(), reinterpret_cast<sockaddr*>(&name), &length));
    log.note("length", length);
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(name);
    log.note("the same", std::memcmp(&in6.sin6_addr, address.data(), 16));
    log.note("port", in6.sin6_port == to.sin6_port);
    length = sizeof(name);
    log.call("getsockname", ::getsockname(a.get(), reinterpret_cast<sockaddr*>(&name), &length));
    log.note("mapped", std::memcmp(&in6.sin6_addr, address.data(), 16));
    log.call("send", ::send(a.get(), "x", 1, 0));
}

// Several that listen at one port: each connection is somebody's.
void shared_port(const World& world, Log& log) {
    const int one = 1;
    const auto listener = [&] {
        Descriptor fd = world.make(SOCK_STREAM, SOCK_NONBLOCK);
        log.call("SO_REUSEADDR", ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
        log.call("SO_REUSEPORT", ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
        log.call("bind", world.bind(fd.get(), world.bind_port));
        log.call("listen", ::listen(fd.get(), 32));
        return fd;
    };
    const Descriptor first = listener(), second = listener();
    const Descriptor stranger = world.make(SOCK_STREAM);
    log.call("bind without it", world.bind(stranger.get(), world.bind_port));
    std::vector<Descriptor> clients, accepted;
    for (int i = 0; i < 16; i++) {
        clients.push_back(world.make(SOCK_STREAM));
        must("connect", world.connect(clients.back().get(), world.connect_port));
    }
    for (int i = 0; i < 1000 && accepted.size() < clients.size(); i++) {
        for (const Descriptor* from : {&first, &second}) {
            Descriptor fd(::accept(from->get(), nullptr, nullptr));
            if (fd.get() >= 0) accepted.push_back(std::move(fd));
        }
        if (i > 100) ::usleep(10000);
    }
    log.note("accepted", static_cast<long>(accepted.size()));
}

// A port that the kernel chooses, or the host: names are consistent, and whoever is told it gets there.
void any_port(const World& world, Log& log) {
    const Descriptor listens = world.make(SOCK_STREAM), other = world.make(SOCK_STREAM);
    log.call("bind", world.bind(listens.get(), 0));
    log.call("listen", ::listen(listens.get(), 5));
    log.call("listen without bind", ::listen(other.get(), 5));
    for (const int fd : {listens.get(), other.get()}) {
        sockaddr_storage name{};
        socklen_t length = sizeof(name);
        log.call("getsockname", ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length));
        log.note("a port", port_of(name) != 0);
        const Descriptor a = world.make(SOCK_STREAM);
        log.call("connect", world.connect(a.get(), port_of(name)));
        const Descriptor b(::accept(fd, nullptr, nullptr));
        log.note("accepted", b.get() >= 0);
        send_all(a.get(), "x");
        log.note("data", recv_all(b.get(), 1));
        log.call("bind again", world.bind(fd, 0));
    }
}

}  // namespace

const std::vector<TwinCase> kEdgeCases = {
    {"flags", flags},         {"queues", queues},           {"states", states},
    {"mapped", mapped, true}, {"shared-port", shared_port}, {"any-port", any_port}};

}  // namespace farcall::demo
