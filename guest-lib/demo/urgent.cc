// SPDX-License-Identifier: MIT
// That the policy "urgent" of farcall.ko lends a rank to who sleeps for an event, takes it back from who
// makes too much of it, and that nobody else gets it: no child, thread or program of an exec.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "guest-lib/demo/crowd.h"
#include "guest-lib/demo/demo.h"

namespace farcall::demo {

namespace {

constexpr const char* kUsage = "urgent [--milliseconds MS] | urgent --sleep";
/// Of a process that never has enough, beside one that is only busy. Without a limit the kernel would leave
/// the other one a twentieth; with it, it has its fair part of what is not lent.
constexpr double kLeastOfOther = 0.10;
constexpr uint8_t kPriority = 255;
constexpr int kAttempts = 200;
constexpr auto kPatience = std::chrono::seconds(10);

/// Real-time priority of a process, 0 if it has none.
int rank_of(pid_t pid) {
    const int policy = sched_getscheduler(pid);
    sched_param parameter{};
    if (policy < 0 || sched_getparam(pid, &parameter) < 0)
        throw Failure("cannot read a process's scheduling");
    return (policy & ~SCHED_RESET_ON_FORK) == SCHED_FIFO ? parameter.sched_priority : 0;
}

void sleep_for_event(client::Channel& channel, std::chrono::nanoseconds time, uint8_t priority) {
    fc_command command;
    farcall_prep_timer(&command, static_cast<fc_u64>(time.count()), 0);
    farcall_set_priority(&command, priority);
    client::check(farcall_post(channel.get(), &command), "posting");
    client::check(farcall_wait(channel.get(), -1), "waiting");
    fc_event event;
    if (farcall_poll(channel.get(), &event, 1) != 1 || event.result != 0)
        throw Failure("no timer where one was announced");
}

/// Works for longer than it sleeps, and always for an event.
void greedy(Crowd::Board& board) {
    client::Client client;
    client::Channel channel(client);
    board.ready++;
    for (;;) {
        sleep_for_event(channel, std::chrono::microseconds(1), 16);
        work_for(std::chrono::milliseconds(5));
    }
}

/// The one has been ranked and not ranked by turns, and the other one has not starved.
void check_limit(std::chrono::milliseconds time) {
    Crowd crowd;
    const pid_t greedy_one = crowd.add(greedy);
    crowd.add_hogs(1);
    crowd.wait_ready(2);
    const uint64_t before = cpu_ns(greedy_one);
    int ranked = 0, fair = 0;
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < time || ranked == 0 || fair == 0) {
        crowd.run_for(std::chrono::milliseconds(3));
        (rank_of(greedy_one) != 0 ? ranked : fair)++;
        if (std::chrono::steady_clock::now() - start > time + kPatience) break;
    }
    const std::chrono::duration<double, std::nano> all = std::chrono::steady_clock::now() - start;
    const double share = static_cast<double>(cpu_ns(greedy_one) - before) / all.count();
    std::printf("greedy: ranked %d times of %d, %.2f of the processor\n", ranked, ranked + fair, share);
    if (ranked == 0 || fair == 0) throw Failure("its rank did not come and go");
    if (share > 1 - kLeastOfOther) throw Failure("it left the other one too little");
}

/// A sleeper, as others see it.
void check_sleeper() {
    Crowd crowd;
    const pid_t sleeper = crowd.add([](Crowd::Board& board) {
        client::Client client;
        client::Channel channel(client);
        board.ready++;
        sleep_for_event(channel, std::chrono::hours(1), kPriority);
    });
    crowd.wait_ready(1);
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (rank_of(sleeper) == 0) {
        if (std::chrono::steady_clock::now() > end) throw Failure("a sleeper has no rank");
        crowd.run_for(std::chrono::milliseconds(5));
    }
    std::printf("sleeper: rank %d\n", rank_of(sleeper));
}

bool plain(const char* who) {
    const bool good = sched_getscheduler(0) == SCHED_OTHER && scheduling_of(0).nice == 0;
    if (!good)
        std::fprintf(stderr, "%s has policy %#x, nice %d\n", who, sched_getscheduler(0),
                     scheduling_of(0).nice);
    return good;
}

/// Right after an event, while we have a rank: on a slow machine it may be gone again before we look.
void check_children(client::Channel& channel) {
    int ranked = 0;
    for (int attempt = 0; attempt < kAttempts && ranked < 5; attempt++) {
        sleep_for_event(channel, std::chrono::milliseconds(1), kPriority);
        ranked += rank_of(0) != 0 ? 1 : 0;
        const pid_t pid = fork();
        if (pid < 0) throw Failure("cannot start a process");
        if (pid == 0) _exit(plain("a child") ? 0 : 1);
        bool good = false;
        std::thread([&] { good = plain("a thread"); }).join();
        int status = 0;
        if (waitpid(pid, &status, 0) != pid || status != 0 || !good) throw Failure("the rank was inherited");
    }
    if (ranked == 0) throw Failure("never ranked after an event");
}

/// A lower rank can be had without any right: it must not outlast what it was lent for.
void check_taken_back(client::Channel& channel) {
    const sched_param lower{1};
    for (int attempt = 0; rank_of(0) < 2 || sched_setparam(0, &lower) < 0; attempt++) {
        if (attempt == kAttempts) throw Failure("no rank after an event, or none that could be lowered");
        sleep_for_event(channel, std::chrono::milliseconds(1), kPriority);
    }
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (rank_of(0) != 0 || scheduling_of(0).nice != 0) {
        if (std::chrono::steady_clock::now() > end)
            throw Failure("the rank stays when the event is consumed");
    }
}

int after_exec() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (sched_getscheduler(0) != SCHED_OTHER && std::chrono::steady_clock::now() < end) {
    }
    return plain("the program of an exec") ? 0 : 1;
}

}  // namespace

int urgent(Arguments& arguments) {
    const bool executed = arguments.flag("--after-exec");
    const bool sleeps = arguments.flag("--sleep");
    const std::chrono::milliseconds time(arguments.number("--milliseconds", 1500, 600'000));
    arguments.rest(0, 0, kUsage);
    if (executed) return after_exec();
    if (sleeps) {
        client::Client client;
        client::Channel channel(client);
        sleep_for_event(channel, std::chrono::hours(1), kPriority);
        return 0;
    }
    check_sleeper();
    check_limit(time);
    client::Client client;
    client::Channel channel(client);
    std::fflush(nullptr);
    check_children(channel);
    check_taken_back(channel);
    sleep_for_event(channel, std::chrono::milliseconds(1), kPriority);
    execl("/proc/self/exe", "farcall-demo", "urgent", "--after-exec", nullptr);
    throw Failure("cannot exec");
}

}  // namespace farcall::demo
