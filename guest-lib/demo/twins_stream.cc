// SPDX-License-Identifier: MIT
// Cases of streams: data, errors, options, connecting.
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>

#include "guest-lib/demo/twins.h"

namespace farcall::demo {
namespace {

std::string take(Log& log, const std::string& what, int fd, size_t bytes, int flags) {
    std::string out(bytes, '\0');
    const long n = log.call(what, ::recv(fd, out.data(), bytes, flags));
    out.resize(n > 0 ? static_cast<size_t>(n) : 0);
    log.note(what + " got", out);
    return out;
}

void names(const World& world, Log& log) {
    const Descriptor listens = world.listener();
    Descriptor client = world.make(SOCK_STREAM);
    sockaddr_storage name{}, peer{};
    socklen_t length = sizeof(name);
    log.call("getpeername before", ::getpeername(client.get(), reinterpret_cast<sockaddr*>(&name), &length));
    log.call("connect", world.connect(client.get(), world.connect_port));
    length = sizeof(name);
    log.call("getpeername", ::getpeername(client.get(), reinterpret_cast<sockaddr*>(&name), &length));
    log.note("length", length == world.length());
    log.note("port", port_of(name) == world.connect_port);
    length = sizeof(name);
    log.call("getsockname", ::getsockname(client.get(), reinterpret_cast<sockaddr*>(&name), &length));
    socklen_t peer_length = sizeof(peer);
    Descriptor server(::accept4(listens.get(), reinterpret_cast<sockaddr*>(&peer), &peer_length,
                                SOCK_NONBLOCK | SOCK_CLOEXEC));
    log.note("accepted", server.get() >= 0);
    log.note("its peer's length", peer_length == world.length());
    log.note("its peer is the client", port_of(peer) == port_of(name));
    log.note("O_NONBLOCK", ::fcntl(server.get(), F_GETFL) & O_NONBLOCK);
    log.note("FD_CLOEXEC", ::fcntl(server.get(), F_GETFD));
    length = sizeof(name);
    log.call("getsockname", ::getsockname(server.get(), reinterpret_cast<sockaddr*>(&name), &length));
    log.note("port", port_of(name) == world.bind_port);
    length = 4;
    log.call("getsockname, cut", ::getsockname(listens.get(), reinterpret_cast<sockaddr*>(&name), &length));
    log.note("length", length == world.length());
    log.call("connect again", world.connect(client.get(), world.connect_port));
    log.call("bind after", world.bind(client.get(), 0));
    log.call("listen after", ::listen(client.get(), 5));
    log.call("bind the listener again", world.bind(listens.get(), 1));
    log.call("listen again", ::listen(listens.get(), 5));
    log.call("connect the listener", world.connect(listens.get(), world.connect_port));
}

void data(const World& world, Log& log) {
    const auto [a, b] = world.pair();
    char byte = 0;
    int unread = -1;
    log.call("recv of nothing", ::recv(b.get(), &byte, 1, MSG_DONTWAIT));
    log.call("send", ::send(a.get(), "hello world", 11, 0));
    ready(b.get(), POLLIN, 10000);
    log.call("FIONREAD", ::ioctl(b.get(), FIONREAD, &unread));
    log.note("unread", unread);
    take(log, "peek", b.get(), 5, MSG_PEEK);
    take(log, "recv", b.get(), 5, 0);
    take(log, "trunc", b.get(), 1, MSG_TRUNC);
    take(log, "rest", b.get(), 100, MSG_DONTWAIT);
    log.call("send of nothing", ::send(a.get(), "", 0, 0));
    log.call("recv into nothing", ::recv(b.get(), nullptr, 0, MSG_DONTWAIT));
    std::thread later([&, fd = a.get()] {
        for (const char* text : {"one ", "two ", "three"})
            ::usleep(20000), static_cast<void>(::send(fd, text, std::strlen(text), 0));
    });
    take(log, "all", b.get(), 13, MSG_WAITALL);
    later.join();
    std::array<char, 3> first{};
    std::array<char, 8> second{};
    iovec out[] = {{const_cast<char*>("ab"), 2}, {nullptr, 0}, {const_cast<char*>("cdef"), 4}};
    log.call("writev", ::writev(a.get(), out, 3));
    ready(b.get(), POLLIN, 10000);
    iovec in[] = {{first.data(), 3}, {second.data(), 8}};
    log.call("readv", ::readv(b.get(), in, 2));
    log.note("first", std::string(first.data(), 3));
    log.note("second", second.data());
    log.call("write", ::write(b.get(), "back", 4));
    take(log, "back", a.get(), 10, 0);
    log.call("MSG_MORE", ::send(a.get(), "12", 2, MSG_MORE));
    log.call("and more", ::send(a.get(), "34", 2, 0));
    take(log, "both", b.get(), 4, MSG_WAITALL);
    log.call("lseek", ::lseek(a.get(), 0, SEEK_CUR));
}

void ends(const World& world, Log& log) {
    auto [a, b] = world.pair();
    char byte = 0;
    log.call("send", ::send(a.get(), "last", 4, 0));
    log.call("shutdown", ::shutdown(a.get(), SHUT_WR));
    log.call("send after", ::send(a.get(), "x", 1, MSG_NOSIGNAL));
    log.note("ready", ready(b.get(), POLLIN | POLLRDHUP, 10000) & (POLLIN | POLLHUP));
    take(log, "last", b.get(), 10, MSG_WAITALL);
    log.call("the end", ::recv(b.get(), &byte, 1, 0));
    log.call("the end again", ::recv(b.get(), &byte, 1, 0));
    log.call("other half", ::send(b.get(), "still", 5, 0));
    take(log, "still", a.get(), 5, MSG_WAITALL);
    b.close();
    log.call("their end", ::recv(a.get(), &byte, 1, 0));
    log.call("shutdown of the rest", ::shutdown(a.get(), SHUT_RD));
    log.call("shutdown, wrong", ::shutdown(a.get(), 3));
    auto [c, d] = world.pair();
    send_all(c.get(), "never read");
    ready(d.get(), POLLIN, 10000);
    d.close();  // with data unread: a reset
    log.note("reset", ready(c.get(), POLLIN, 10000) & (POLLERR | POLLHUP));
    log.call("recv", ::recv(c.get(), &byte, 1, 0));
    log.call("recv again", ::recv(c.get(), &byte, 1, 0));
    log.call("send", ::send(c.get(), "x", 1, MSG_NOSIGNAL));
    auto [e, f] = world.pair();
    send_all(e.get(), pattern(300000, 1));
    e.close();  // what is under way arrives
    log.note("all there", recv_all(f.get(), 300000) == pattern(300000, 1));
    log.call("the end", ::recv(f.get(), &byte, 1, 0));
}

void not_connected(const World& world, Log& log) {
    Descriptor fd = world.make(SOCK_STREAM);
    char byte = 0;
    log.call("recv", ::recv(fd.get(), &byte, 1, 0));
    log.call("send", ::send(fd.get(), "x", 1, MSG_NOSIGNAL));
    log.call("shutdown", ::shutdown(fd.get(), SHUT_RDWR));
    log.call("accept", ::accept(fd.get(), nullptr, nullptr));
    log.note("poll", ready(fd.get(), POLLIN | POLLOUT, 0));
    sockaddr_storage wrong = world.address(1);
    wrong.ss_family = AF_UNIX;
    log.call("bind, family", ::bind(fd.get(), reinterpret_cast<sockaddr*>(&wrong), world.length()));
    log.call("connect, family", ::connect(fd.get(), reinterpret_cast<sockaddr*>(&wrong), world.length()));
    log.call("bind, short", ::bind(fd.get(), reinterpret_cast<sockaddr*>(&wrong), 1));
    log.call("connect, short", ::connect(fd.get(), reinterpret_cast<sockaddr*>(&wrong), 1));
    log.call("connect to nobody", world.connect(fd.get(), 9));
    log.call("connect to nobody again", world.connect(fd.get(), 9));
    int error = -1;
    socklen_t length = sizeof(error);
    log.call("SO_ERROR", ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length));
    log.note("error", error);
    log.call("socketpair", [&] {
        int both[2];
        return ::socketpair(world.family, SOCK_STREAM, 0, both);
    }());
    Descriptor other = world.make(SOCK_STREAM, SOCK_NONBLOCK);
    log.call("connect to nobody", world.connect(other.get(), 9));
    log.note("poll", ready(other.get(), POLLOUT, 10000));
    log.call("SO_ERROR", ::getsockopt(other.get(), SOL_SOCKET, SO_ERROR, &error, &length));
    log.note("error", error);
    log.call("connect after that", world.connect(other.get(), 9));
    Descriptor third = world.make(SOCK_STREAM, SOCK_NONBLOCK);
    log.call("connect to nobody", world.connect(third.get(), 9));
    ready(third.get(), POLLOUT, 10000);
    log.call("connect asks", world.connect(third.get(), 9));
    log.call("read", ::read(third.get(), &byte, 1));
}

void connecting(const World& world, Log& log) {
    const Descriptor listens = world.listener(SOCK_NONBLOCK);
    log.call("accept of none", ::accept(listens.get(), nullptr, nullptr));
    log.note("poll", ready(listens.get(), POLLIN | POLLOUT, 0));
    Descriptor a = world.make(SOCK_STREAM, SOCK_NONBLOCK);
    log.call("connect", world.connect(a.get(), world.connect_port));
    log.note("poll", ready(a.get(), POLLOUT, 10000));
    int error = -1;
    socklen_t length = sizeof(error);
    log.call("SO_ERROR", ::getsockopt(a.get(), SOL_SOCKET, SO_ERROR, &error, &length));
    log.note("error", error);
    log.call("connect again", world.connect(a.get(), world.connect_port));
    log.call("and again", world.connect(a.get(), world.connect_port));
    log.note("poll", ready(listens.get(), POLLIN, 10000));
    Descriptor b(::accept(listens.get(), nullptr, nullptr));
    log.note("accepted", b.get() >= 0);
    log.call("accept of no more", ::accept(listens.get(), nullptr, nullptr));
    send_all(b.get(), "x");
    log.note("poll", ready(a.get(), POLLIN, 10000));
    // Taken back, and made anew.
    const sockaddr none{AF_UNSPEC, {}};
    log.call("disconnect", ::connect(a.get(), &none, sizeof(none)));
    char byte = 0;
    log.call("recv", ::recv(a.get(), &byte, 1, 0));
    // A thread that waits for a connection, and one for a listener that is shut down.
    std::thread later([&] {
        ::usleep(50000);
        const Descriptor c = world.make(SOCK_STREAM);
        world.connect(c.get(), world.connect_port);
        ::usleep(50000);
        ::shutdown(listens.get(), SHUT_RD);
    });
    ::fcntl(listens.get(), F_SETFL, 0);
    Descriptor d(::accept(listens.get(), nullptr, nullptr));
    log.note("accepted", d.get() >= 0);
    log.call("accept at the end", ::accept(listens.get(), nullptr, nullptr));
    later.join();
}

void options(const World& world, Log& log) {
    struct Option {
        const char* name;
        int level, number, value;
    };
    static constexpr Option kOptions[] = {{"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1},
                                          {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1},
                                          {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 50000},
                                          {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 50000},
                                          {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1},
                                          {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 77},
                                          {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 3},
                                          {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
                                          {"TCP_KEEPIDLE, wrong", IPPROTO_TCP, TCP_KEEPIDLE, -1},
                                          {"IP_TTL", IPPROTO_IP, IP_TTL, 33},
                                          {"no option", IPPROTO_TCP, 250, 1}};
    const auto get = [&](const char* when, int fd, const Option& option) {
        int value = -1;
        socklen_t length = sizeof(value);
        log.call(std::string(option.name) + when,
                 ::getsockopt(fd, option.level, option.number, &value, &length));
        log.note("value", value);
        log.note("length", length);
    };
    const auto [a, b] = world.pair();
    const Descriptor fresh = world.make(SOCK_STREAM);
    for (const int fd : {fresh.get(), a.get(), b.get()}) {
        for (const Option& option : kOptions) {
            if (world.family == AF_INET6 && option.level == IPPROTO_IP) {
                log.call(std::string(option.name) + " set", 0);
                continue;
            }
            log.call(std::string(option.name) + " set",
                     ::setsockopt(fd, option.level, option.number, &option.value, sizeof(int)));
        }
        for (const Option& option : kOptions)
            if (option.value > 0 && option.number != 250 && option.level != IPPROTO_IP) get("", fd, option);
        for (const Option& option : {Option{"SO_TYPE", SOL_SOCKET, SO_TYPE, 0},
                                     {"SO_PROTOCOL", SOL_SOCKET, SO_PROTOCOL, 0},
                                     {"SO_ERROR", SOL_SOCKET, SO_ERROR, 0},
                                     {"SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN, 0}})
            get("", fd, option);
        log.call("short", ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, "x", 1));
        log.call("bad address", ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<void*>(8), 4));
    }
}

// As much as no buffers hold, both ways at once.
void bulk(const World& world, Log& log) {
    constexpr size_t kBytes = 4 << 20;
    const auto [a, b] = world.pair();
    const std::string there = pattern(kBytes, 1), back = pattern(kBytes, 2);
    std::atomic<bool> sent = true;
    const auto send = [&](int fd, const std::string& data) {
        try {
            send_all(fd, data);
        } catch (const Failure&) {
            sent = false;
        }
    };
    std::thread one([&, fd = a.get()] { send(fd, there); });
    std::thread two([&, fd = b.get()] { send(fd, back); });
    std::string got;
    std::thread three([&, fd = b.get()] { got = recv_all(fd, kBytes); });
    log.note("back", recv_all(a.get(), kBytes) == back);
    for (std::thread* thread : {&one, &two, &three})
        thread->join();
    log.note("there", got == there);
    log.note("sent", sent);
}

}  // namespace

const std::vector<TwinCase> kStreamCases = {
    {"names", names},           {"data", data},       {"ends", ends}, {"not-connected", not_connected},
    {"connecting", connecting}, {"options", options}, {"bulk", bulk}};

}  // namespace farcall::demo
