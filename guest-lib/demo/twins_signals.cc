// SPDX-License-Identifier: MIT
// Cases of signals: interrupted calls, timeouts, SIGPIPE, SIGIO.
#include <fcntl.h>
#include <poll.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <thread>

#include "guest-lib/demo/twins.h"

namespace farcall::demo {
namespace {

std::atomic<int> signals = 0;
void count(int /*signal*/) {
    signals++;
}

struct Alarm {
    Alarm(int flags, unsigned after_us, unsigned every_us) {
        struct sigaction action {};
        action.sa_handler = count;
        action.sa_flags = flags;
        ::sigaction(SIGALRM, &action, nullptr);
        signals = 0;
        const itimerval time{{0, static_cast<suseconds_t>(every_us)},
                             {0, static_cast<suseconds_t>(after_us)}};
        ::setitimer(ITIMER_REAL, &time, nullptr);
    }
    ~Alarm() {
        const itimerval none{};
        ::setitimer(ITIMER_REAL, &none, nullptr);
    }
};

void interrupted(const World& world, Log& log) {
    auto [a, b] = world.pair();
    auto [c, d] = world.pair();
    const Descriptor listens = world.listener();
    char byte = 0;
    {
        const Alarm alarm(0, 50000, 50000);
        log.call("recv", ::recv(a.get(), &byte, 1, 0));
        log.call("accept", ::accept(listens.get(), nullptr, nullptr));
        log.note("poll", ::poll(nullptr, 0, 1000));
        pollfd look{a.get(), POLLIN, 0};
        log.call("poll", ::poll(&look, 1, 10000));
    }
    {
        const Alarm alarm(SA_RESTART, 30000, 30000);
        std::thread later([fd = b.get()] {
            // Signals are the other thread's.
            sigset_t all;
            sigfillset(&all);
            ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
            for (int i = 0; signals < 3 && i < 1000; i++)
                ::usleep(10000);
            send_all(fd, "x");
        });
        log.call("recv with restarts", ::recv(a.get(), &byte, 1, 0));
        later.join();
        log.note("signals", signals >= 3);
    }
    const timeval time{0, 200000};
    log.call("SO_RCVTIMEO", ::setsockopt(a.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
    log.call("recv", ::recv(a.get(), &byte, 1, 0));
    {
        const Alarm alarm(SA_RESTART, 50000, 0);
        log.call("recv, no restart with a timeout", ::recv(a.get(), &byte, 1, 0));
    }
    log.call("SO_RCVTIMEO", ::setsockopt(listens.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
    log.call("accept", ::accept(listens.get(), nullptr, nullptr));
    log.call("SO_SNDTIMEO", ::setsockopt(a.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)));
    const std::string much = pattern(64 << 20, 1);
    const ssize_t some = ::send(a.get(), much.data(), much.size(), 0);
    log.note("sent some", some > 0 && some < static_cast<ssize_t>(much.size()));
    // What a program gets that dies by SIGPIPE.
    b.close();
    struct sigaction action {
    }, before{};
    action.sa_handler = count;
    ::sigaction(SIGPIPE, &action, &before);
    signals = 0;
    ::shutdown(c.get(), SHUT_WR);
    log.call("send", ::send(c.get(), "x", 1, MSG_NOSIGNAL));
    log.note("signals", signals);
    log.call("send", ::send(c.get(), "x", 1, 0));
    log.note("signals", signals);
    ::sigaction(SIGPIPE, &before, nullptr);
}

void asynchronous(const World& world, Log& log) {
    auto [a, b] = world.pair();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    log.call("F_SETOWN", ::fcntl(a.get(), F_SETOWN, ::getpid()));
    log.call("O_ASYNC", ::fcntl(a.get(), F_SETFL, O_ASYNC | O_NONBLOCK));
    ::usleep(100000);  // nothing is called on the socket from here on
    const timespec none{}, long_enough{10, 0};
    while (::sigtimedwait(&set, nullptr, &none) >= 0) {
    }
    for (int i = 0; i < 3; i++) {
        send_all(b.get(), "x");
        log.note("SIGIO", ::sigtimedwait(&set, nullptr, &long_enough) == SIGIO);
        log.note("data", ready(a.get(), POLLIN, 0) & POLLIN);
        while (::sigtimedwait(&set, nullptr, &none) >= 0) {
        }
        recv_all(a.get(), 1);
    }
}

}  // namespace

const std::vector<TwinCase> kSignalCases = {{"interrupted", interrupted}, {"asynchronous", asynchronous}};

}  // namespace farcall::demo
