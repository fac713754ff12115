// SPDX-License-Identifier: MIT
// Cases of readiness.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include <array>
#include <map>
#include <thread>

#include "guest-lib/demo/twins.h"

namespace farcall::demo {
namespace {

constexpr short kAsked = POLLIN | POLLOUT | POLLPRI | POLLRDHUP;

void polling(const World& world, Log& log) {
    auto [a, b] = world.pair();
    log.note("idle", ready(a.get(), kAsked, 0));
    log.note("nothing to read", ready(a.get(), POLLIN, 10));
    send_all(b.get(), "x");
    ready(a.get(), POLLIN, 10000);
    log.note("data", ready(a.get(), kAsked, 0));
    recv_all(a.get(), 1);
    log.note("read", ready(a.get(), kAsked, 0));
    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(a.get(), &readable);
    FD_SET(a.get(), &writable);
    timeval none{};
    log.call("select", ::select(a.get() + 1, &readable, &writable, nullptr, &none));
    log.note("readable", FD_ISSET(a.get(), &readable));
    log.note("writable", FD_ISSET(a.get(), &writable));
    // Somebody waits already when it comes.
    std::thread later([fd = b.get()] {
        ::usleep(50000);
        send_all(fd, "y");
    });
    log.note("waited", ready(a.get(), POLLIN, 10000));
    later.join();
    recv_all(a.get(), 1);
    ::shutdown(b.get(), SHUT_WR);
    ready(a.get(), POLLIN, 10000);
    log.note("half closed", ready(a.get(), kAsked, 0));
    ::shutdown(a.get(), SHUT_WR);
    ready(b.get(), POLLHUP, 10000);
    log.note("closed", ready(a.get(), kAsked, 0));
    log.note("closed there", ready(b.get(), kAsked, 0));
    // Until the buffers are full, and until they are not any more.
    auto [c, d] = world.pair();
    ::fcntl(c.get(), F_SETFL, O_NONBLOCK);
    const std::string block = pattern(100000, 1);
    size_t sent = 0;
    long n = 0;
    while (n >= 0) {
        while ((n = ::send(c.get(), block.data(), block.size(), 0)) > 0)
            sent += static_cast<size_t>(n);
        // The other side's kernel may still make room.
        if (n < 0 && errno == EAGAIN && ready(c.get(), POLLOUT, 300) != 0) n = 0;
    }
    log.call("full", n);
    log.note("not writable", ready(c.get(), POLLOUT, 0));
    std::thread reader([&, fd = d.get()] {
        ::usleep(50000);
        recv_all(fd, sent);
    });
    log.note("writable", ready(c.get(), POLLOUT, 10000));
    reader.join();
}

void edges(const World& world, Log& log) {
    auto [a, b] = world.pair();
    ::fcntl(a.get(), F_SETFL, O_NONBLOCK);
    const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{EPOLLIN | EPOLLRDHUP | EPOLLET, {}};
    log.call("add", ::epoll_ctl(set.get(), EPOLL_CTL_ADD, a.get(), &event));
    const auto wait = [&](const char* what, int milliseconds) {
        epoll_event got{};
        const int n = ::epoll_wait(set.get(), &got, 1, milliseconds);
        log.note(what, n > 0 ? static_cast<long>(got.events) : n);
    };
    wait("nothing", 10);
    for (int i = 0; i < 20; i++) {
        send_all(b.get(), "xy");
        wait("edge", 10000);
        std::array<char, 8> buffer;
        // Every other time without having seen that there is no more.
        log.call("recv", ::recv(a.get(), buffer.data(), i % 2 != 0 ? 2 : buffer.size(), 0));
        if (i % 4 != 0) continue;
        log.call("recv of no more", ::recv(a.get(), buffer.data(), buffer.size(), 0));
        wait("no edge", 10);
    }
    send_all(b.get(), "left");
    wait("edge", 10000);
    event.events = EPOLLIN | EPOLLRDHUP;
    log.call("level", ::epoll_ctl(set.get(), EPOLL_CTL_MOD, a.get(), &event));
    wait("still there", 10);
    wait("still there", 10);
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
    log.call("once", ::epoll_ctl(set.get(), EPOLL_CTL_MOD, a.get(), &event));
    wait("once", 10);
    wait("no more", 10);
    recv_all(a.get(), 4);
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    log.call("edge", ::epoll_ctl(set.get(), EPOLL_CTL_MOD, a.get(), &event));
    b.close();
    wait("the end", 10000);
}

/// An edge-triggered server of echoes in one thread.
class EchoServer {
  public:
    explicit EchoServer(const World& world)
        : listens_(world.listener(SOCK_NONBLOCK)), set_(::epoll_create1(EPOLL_CLOEXEC)) {
        add(listens_.get(), EPOLLIN | EPOLLET);
    }
    void run(unsigned connections) {
        while (ended_ < connections) {
            std::array<epoll_event, 16> events;
            const int n =
                static_cast<int>(must("epoll_wait", ::epoll_wait(set_.get(), events.data(), 16, 20000)));
            if (n == 0) throw Failure("the server waits in vain: " + std::to_string(ended_) + " have ended");
            for (int i = 0; i < n; i++) {
                const int fd = events[static_cast<size_t>(i)].data.fd;
                if (fd == listens_.get()) {
                    accept_all();
                } else {
                    serve(fd);
                }
            }
        }
    }

  private:
    struct Connection {
        Descriptor fd;
        std::string unsent;
        bool end = false;
    };
    void add(int fd, uint32_t events) {
        epoll_event event{events, {.fd = fd}};
        must("epoll_ctl", ::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &event));
    }
    void accept_all() {
        int fd;
        while ((fd = ::accept4(listens_.get(), nullptr, nullptr, SOCK_NONBLOCK)) >= 0) {
            connections_[fd].fd = Descriptor(fd);
            add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
        }
        if (errno != EAGAIN) must("accept", fd);
    }
    void serve(int fd) {
        Connection& one = connections_.at(fd);
        std::array<char, 3000> buffer;
        for (;;) {
            while (!one.unsent.empty()) {
                const ssize_t n = ::send(fd, one.unsent.data(), one.unsent.size(), MSG_NOSIGNAL);
                if (n < 0 && errno == EAGAIN)
                    return;  // an edge will come, and what waits to be read stays there
                one.unsent.erase(0, static_cast<size_t>(must("send", n)));
            }
            if (one.end) break;
            const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
            if (n < 0 && errno == EAGAIN) return;
            must("recv", n);
            one.end = n == 0;
            one.unsent.assign(buffer.data(), static_cast<size_t>(n));
        }
        connections_.erase(fd);
        ended_++;
    }
    Descriptor listens_, set_;
    std::map<int, Connection> connections_;
    unsigned ended_ = 0;
};

void echo_server(const World& world, Log& log) {
    constexpr unsigned kConnections = 64;
    EchoServer server(world);
    std::string problem = "none";
    std::thread thread([&] {
        try {
            server.run(kConnections);
        } catch (const Failure& failure) {
            problem = failure.what();
        }
    });
    std::vector<Descriptor> clients;
    for (unsigned i = 0; i < kConnections; i++) {
        clients.push_back(world.make(SOCK_STREAM));
        must("connect", world.connect(clients.back().get(), world.connect_port));
    }
    unsigned good = 0;
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < kConnections; i++)
            send_all(clients[i].get(), pattern(1 + i * 100 * round, i + round));
        for (unsigned i = 0; i < kConnections; i++)
            good +=
                recv_all(clients[i].get(), 1 + i * 100 * round) == pattern(1 + i * 100 * round, i + round);
    }
    for (const Descriptor& client : clients)
        ::shutdown(client.get(), SHUT_WR);
    thread.join();
    log.note("echoes", good);
    log.note("problem", problem);
}

}  // namespace

const std::vector<TwinCase> kReadyCases = {
    {"polling", polling}, {"edges", edges}, {"echo-server", echo_server}};

}  // namespace farcall::demo
