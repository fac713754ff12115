// SPDX-License-Identifier: MIT
// What an event costs its process: polled for, and slept for. With and without weighting, that is the cost of
// weighting.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>

#include "guest-lib/demo/demo.h"

namespace farcall::demo {

namespace {

struct Cost {
    double wall_ns, cpu_ns;  ///< per event
};

double cpu_now() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto ns = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
    };
    return ns(usage.ru_utime) + ns(usage.ru_stime);
}

/// `count` events, one after the other.
Cost measure(client::Channel& channel, uint64_t count, uint64_t timer_ns) {
    using Clock = std::chrono::steady_clock;
    fc_command command;
    if (timer_ns == 0)
        farcall_prep_nop(&command, 0);
    else
        farcall_prep_timer(&command, timer_ns, 0);
    farcall_set_priority(&command, 64);
    const double cpu = cpu_now();
    const auto start = Clock::now();
    for (uint64_t i = 0; i < count; i++) {
        client::check(farcall_post(channel.get(), &command), "posting");
        client::check(farcall_wait(channel.get(), -1), "waiting");
        fc_event event;
        client::check(farcall_poll(channel.get(), &event, 1), "reading events");
        if (event.result < 0) throw Failure(error_text(event.result));
    }
    const double wall = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    const auto n = static_cast<double>(count);
    return {wall / n, (cpu_now() - cpu) / n};
}

}  // namespace

int event_cost(Arguments& arguments) {
    const uint64_t polled = arguments.number("--polled", 200'000, 100'000'000);
    const uint64_t slept = arguments.number("--slept", 2'000, 10'000'000);
    const bool json = arguments.flag("--json");
    arguments.rest(0, 0, "eventcost [--polled N] [--slept N] [--json]");
    if (polled == 0 || slept == 0) throw Failure("--polled and --slept must be at least 1");
    client::Client client;
    client::Channel channel(client);
    // Long enough that the process is asleep when it comes.
    constexpr uint64_t kTimerNs = 200'000;
    farcall_set_spin(channel.get(), 1'000'000'000);
    const Cost spun = measure(channel, polled, 0);
    farcall_set_spin(channel.get(), 0);
    const Cost woken = measure(channel, slept, kTimerNs);
    std::printf(json ? "{\"test\": \"cost\", \"polled_wall_ns\": %.1f, \"polled_cpu_ns\": %.1f, "
                       "\"slept_wall_ns\": %.0f, "
                       "\"slept_cpu_ns\": %.0f}\n"
                     : "polled: %.1f ns an event, %.1f ns of CPU; slept: %.0f ns, %.0f ns of CPU\n",
                spun.wall_ns, spun.cpu_ns, woken.wall_ns, woken.cpu_ns);
    return 0;
}

}  // namespace farcall::demo
