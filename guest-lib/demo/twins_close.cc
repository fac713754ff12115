// SPDX-License-Identifier: MIT
// Cases of how connections end: SO_LINGER, resets, halves that are shut down with data under way.
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <thread>

#include "guest-lib/demo/twins.h"

namespace farcall::demo {
namespace {

void set_linger(Log& log, int fd, int on, int seconds) {
    const linger value{on, seconds};
    log.call("SO_LINGER", ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value)));
}

long close_takes(Descriptor& fd) {
    const auto begun = std::chrono::steady_clock::now();
    fd.close();
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun)
        .count();
}

// Sends until nothing goes in for a while; how much.
size_t fill(int fd) {
    const std::string block = pattern(100000, 5);
    size_t sent = 0;
    do {
        long n;
        while ((n = ::send(fd, block.data(), block.size(), MSG_DONTWAIT)) > 0)
            sent += static_cast<size_t>(n);
    } while (ready(fd, POLLOUT, 300) != 0);
    return sent;
}

void resets(const World& world, Log& log) {
    char byte = 0;
    auto [a, b] = world.pair();
    set_linger(log, a.get(), 1, 0);
    linger value{};
    socklen_t length = sizeof(value);
    log.call("SO_LINGER", ::getsockopt(a.get(), SOL_SOCKET, SO_LINGER, &value, &length));
    log.note("on", value.l_onoff);
    a.close();
    log.note("reset", ready(b.get(), POLLIN | POLLRDHUP, 10000));
    log.call("recv", ::recv(b.get(), &byte, 1, 0));
    log.call("recv again", ::recv(b.get(), &byte, 1, 0));
    // The one that was accepted; and a process that is killed resets, too.
    auto [c, d] = world.pair();
    set_linger(log, d.get(), 1, 0);
    const pid_t child = ::fork();
    if (child == 0) {
        c.close();
        for (;;)
            ::pause();
    }
    d.close();
    log.note("held by a child", ready(c.get(), POLLIN, 50));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    log.note("reset", ready(c.get(), POLLIN | POLLRDHUP, 10000));
    int error = 0;
    length = sizeof(error);
    log.call("SO_ERROR", ::getsockopt(c.get(), SOL_SOCKET, SO_ERROR, &error, &length));
    log.note("error", error);
    log.call("recv", ::recv(c.get(), &byte, 1, 0));
    log.call("send", ::send(c.get(), "x", 1, MSG_NOSIGNAL));
    // Taken back in time.
    auto [e, f] = world.pair();
    set_linger(log, e.get(), 1, 0);
    set_linger(log, e.get(), 0, 0);
    e.close();
    log.call("no reset", ::recv(f.get(), &byte, 1, 0));
    // A thread that waits is told.
    auto [g, h] = world.pair();
    set_linger(log, g.get(), 1, 0);
    std::thread later([&g = g] {
        ::usleep(50000);
        g.close();
    });
    log.call("recv", ::recv(h.get(), &byte, 1, 0));
    later.join();
}

void lingers(const World& world, Log& log) {
    auto [a, b] = world.pair();
    set_linger(log, a.get(), 1, 10);
    send_all(a.get(), "soon read");
    log.note("does not wait", close_takes(a) < 3000);
    log.note("there", recv_all(b.get(), 9));
    // Nobody reads: the time passes, and what was sent is not lost.
    auto [c, d] = world.pair();
    const size_t sent = fill(c.get());
    set_linger(log, c.get(), 1, 1);
    const long took = close_takes(c);
    log.note("waits", took >= 900 && took < 6000);
    log.note("all there", recv_all(d.get(), sent).size() == sent);
    char byte = 0;
    log.call("the end", ::recv(d.get(), &byte, 1, 0));
    // Somebody reads meanwhile.
    auto [e, f] = world.pair();
    const size_t much = fill(e.get());
    set_linger(log, e.get(), 1, 30);
    std::thread reader([&, fd = f.get()] {
        ::usleep(200000);
        recv_all(fd, much);
    });
    const long until = close_takes(e);
    log.note("waits for the reader", until >= 100 && until < 15000);
    reader.join();
}

void halves(const World& world, Log& log) {
    char byte = 0;
    std::array<char, 100> buffer;
    auto [a, b] = world.pair();
    // Data that are under way, and later ones, when nobody wants to read any more.
    send_all(b.get(), "before");
    ready(a.get(), POLLIN, 10000);
    log.call("SHUT_RD", ::shutdown(a.get(), SHUT_RD));
    log.note("poll", ready(a.get(), POLLIN | POLLRDHUP, 0));
    log.call("recv", ::recv(a.get(), buffer.data(), buffer.size(), 0));
    log.call("the end", ::recv(a.get(), &byte, 1, 0));
    log.call("send", ::send(a.get(), "still", 5, 0));
    log.note("still", recv_all(b.get(), 5));
    log.call("send against it", ::send(b.get(), "x", 1, MSG_NOSIGNAL));
    // The other half while its peer reads.
    auto [c, d] = world.pair();
    const std::string text = pattern(500000, 6);
    std::string got;
    std::thread reader([&, fd = d.get()] { got = recv_all(fd, 500000); });
    send_all(c.get(), text);
    log.call("SHUT_WR", ::shutdown(c.get(), SHUT_WR));
    log.call("SHUT_WR again", ::shutdown(c.get(), SHUT_WR));
    reader.join();
    log.note("all there", got == text);
    log.call("the end", ::recv(d.get(), &byte, 1, 0));
    log.call("back", ::send(d.get(), "back", 4, 0));
    log.note("back", recv_all(c.get(), 4));
    log.call("SHUT_RDWR", ::shutdown(d.get(), SHUT_RDWR));
    log.call("their end", ::recv(c.get(), &byte, 1, 0));
    log.call("send after", ::send(d.get(), "x", 1, MSG_NOSIGNAL));
    ready(c.get(), POLLHUP, 10000);
    log.note("poll", ready(c.get(), POLLIN | POLLOUT | POLLRDHUP, 0));
    log.call("SHUT_RDWR of the other", ::shutdown(c.get(), SHUT_RDWR));
    // One who waits is told by a shutdown of his own side.
    auto [e, f] = world.pair();
    std::thread later([fd = e.get()] {
        ::usleep(50000);
        ::shutdown(fd, SHUT_RD);
    });
    log.call("recv", ::recv(e.get(), &byte, 1, 0));
    later.join();
    const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{EPOLLRDHUP | EPOLLET, {}};
    log.call("add", ::epoll_ctl(set.get(), EPOLL_CTL_ADD, f.get(), &event));
    log.call("none yet", ::epoll_wait(set.get(), &event, 1, 10));
    ::shutdown(e.get(), SHUT_WR);
    log.call("EPOLLRDHUP", ::epoll_wait(set.get(), &event, 1, 10000));
    log.note("events", event.events);
    log.call("no second edge", ::epoll_wait(set.get(), &event, 1, 10));
}

}  // namespace

const std::vector<TwinCase> kCloseCases = {{"resets", resets}, {"lingers", lingers}, {"halves", halves}};

}  // namespace farcall::demo
