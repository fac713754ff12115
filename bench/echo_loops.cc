// SPDX-License-Identifier: MIT
#include "bench/echo_loops.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#define FARCALL_AEM_NO_SOCKETS
#include <farcall/aem.h>

#include "host-lib/unique_fd.h"

namespace farcall::bench {
namespace {

constexpr int kBacklog = 8;
constexpr unsigned long kHour = 3'600'000;

/// In the server's process nobody catches: it says why and ends, and the bench sees that.
void demand(bool good, const char* what) {
    if (good) return;
    std::perror(what);
    _exit(1);
}

using Listening = std::function<void(uint16_t)>;

sockaddr_in address_of(const EchoSetup& setup) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(setup.anywhere ? INADDR_ANY : INADDR_LOOPBACK);
    address.sin_port = htons(setup.port);
    return address;
}

// --- the kernel's sockets

/// False: the peer has closed.
bool echo(int fd, std::vector<char>& buffer) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return false;
    for (ssize_t sent = 0; sent < got;) {
        const ssize_t n = ::write(fd, buffer.data() + sent, static_cast<size_t>(got - sent));
        demand(n > 0, "write");
        sent += n;
    }
    return true;
}

void wait_select(int fd) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    demand(::select(fd + 1, &set, nullptr, nullptr, nullptr) == 1, "select");
}

void wait_poll(int fd) {
    pollfd entry{fd, POLLIN, 0};
    demand(::poll(&entry, 1, -1) == 1, "poll");
}

[[noreturn]] void serve_calls(const EchoSetup& setup, const Listening& listening) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = address_of(setup);
    socklen_t length = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    demand(::bind(listener, any, length) == 0 && ::listen(listener, kBacklog) == 0 &&
               ::getsockname(listener, any, &length) == 0,
           "listen");
    listening(ntohs(address.sin_port));
    std::vector<char> buffer(1 << 16);
    for (;;) {
        const UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
        epoll_event event{};
        event.events = EPOLLIN;
        demand(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0, "epoll_ctl");
        do {
            if (setup.hears == Hears::kSelect)
                wait_select(fd.get());
            else if (setup.hears == Hears::kPoll)
                wait_poll(fd.get());
            else
                demand(::epoll_wait(epoll.get(), &event, 1, -1) == 1, "epoll_wait");
        } while (echo(fd.get(), buffer));
    }
}

// --- handlers

void on_data(int, int fd, char* data, int bytes) {
    if (bytes < 0) _exit(0);  // the bench is over
    if (bytes == 0) {
        farcall_aem_close(fd);
        return;
    }
    demand(farcall_aem_send(fd, data, static_cast<size_t>(bytes), 0) == bytes, "send");
}

void on_connection(int, int, int fd) {
    if (fd < 0) _exit(0);  // the bench is over
    const int on = 1;
    demand(farcall_aem_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0, "accept");
    demand(farcall_aem_read(fd, 0, on_data, 0) > 0, "sockasync_read");
}

void never(int, long expirations) {
    if (expirations < 0) _exit(0);
}

[[noreturn]] void serve_events(const EchoSetup& setup, const Listening& listening) {
    farcall_aem_options options{};
    options.flags = setup.hears == Hears::kDispatch ? FARCALL_AEM_DISPATCH : 0;
    options.events = setup.registered + 1024;
    options.buffer_bytes = 1 << 16;
    options.buffers = 32;
    demand(farcall_aem_init(setup.where, &options) == 0, "farcall_aem_init");
    for (uint32_t i = 0; i < setup.registered; i++)
        demand(farcall_aem_timer(kHour, 0, never, 0) > 0, "evtimer");
    const int listener = farcall_aem_socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = address_of(setup);
    socklen_t length = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    demand(farcall_aem_bind(listener, any, length) == 0 && farcall_aem_listen(listener, kBacklog) == 0 &&
               farcall_aem_getsockname(listener, any, &length) == 0 &&
               farcall_aem_accept(listener, nullptr, nullptr, on_connection, 0) > 0,
           "sockasync_accept");
    listening(ntohs(address.sin_port));
    for (;;) {
        if (setup.hears != Hears::kDispatch)
            ::pause();
        else if (farcall_dispatch(-1) < 0)
            _exit(0);
    }
}

}  // namespace

void serve_echo(const EchoSetup& setup, const std::function<void(uint16_t port)>& listening) {
    if (setup.hears == Hears::kHandlers || setup.hears == Hears::kDispatch) serve_events(setup, listening);
    serve_calls(setup, listening);
}

}  // namespace farcall::bench
