// SPDX-License-Identifier: MIT
// That a weight goes to nobody else and leaves nothing behind: not to children, threads or the program of an
// exec, and not to a process that changes its own nice while it is boosted. Needs a policy that boosts.
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "guest-lib/demo/crowd.h"
#include "guest-lib/demo/demo.h"

namespace farcall::demo {

namespace {

int own_nice() {
    return scheduling_of(0).nice;
}

/// Stays busy until it has that nice, or a better one (`at_most`): a busy process is looked at every 10 ms.
void await_nice(int nice, bool at_most, const char* what) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    for (int now = own_nice(); at_most ? now > nice : now != nice; now = own_nice()) {
        if (std::chrono::steady_clock::now() > end)
            throw Failure(std::string(what) + ": nice " + std::to_string(now));
    }
}

void activate(client::Channel& channel) {
    fc_command command;
    farcall_prep_nop(&command, 0);
    farcall_set_priority(&command, 255);
    client::check(farcall_post(channel.get(), &command), "posting");
    int rc = 0;
    while ((rc = farcall_wait(channel.get(), 0)) == -ETIME) {
    }
    client::check(rc, "waiting");
}

/// Whether the caller runs as if nobody had ever been weighted.
bool untouched(int nice, const char* who) {
    const bool good = own_nice() == nice && (sched_getscheduler(0) & SCHED_RESET_ON_FORK) == 0;
    if (!good) std::fprintf(stderr, "%s has nice %d, policy %#x\n", who, own_nice(), sched_getscheduler(0));
    return good;
}

void check_child(int nice) {
    std::fflush(nullptr);
    const pid_t pid = fork();
    if (pid < 0) throw Failure("cannot start a process");
    if (pid == 0) _exit(untouched(nice, "a child") ? 0 : 1);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0) throw Failure("a child inherited the weight");
}

void check_thread(int nice) {
    bool good = false;
    std::thread([&] { good = untouched(nice, "a thread"); }).join();
    if (!good) throw Failure("a new thread inherited the weight");
}

}  // namespace

int inherit(Arguments& arguments) {
    const std::string before = arguments.option("--after-exec").value_or("");
    arguments.rest(0, 0, "inherit");
    if (!before.empty()) return untouched(std::atoi(before.c_str()), "the program of an exec") ? 0 : 1;
    const int nice = own_nice();
    client::Client client;
    client::Channel channel(client);
    activate(channel);
    await_nice(nice - 2, true, "not boosted");
    check_child(nice);
    check_thread(nice);
    // Raising one's nice needs no right, whatever it was before.
    if (setpriority(PRIO_PROCESS, 0, own_nice() + 1) < 0) throw Failure("cannot raise the nice");
    fc_event event;
    client::check(farcall_poll(channel.get(), &event, 1), "reading events");
    await_nice(nice, false, "a part of the boost stays when the event is consumed");
    activate(channel);
    await_nice(nice - 2, true, "not boosted again");
    std::fflush(nullptr);
    execl("/proc/self/exe", "farcall-demo", "inherit", "--after-exec", std::to_string(nice).c_str(), nullptr);
    throw Failure("cannot exec");
}

}  // namespace farcall::demo
