// SPDX-License-Identifier: MIT
#include "guest-lib/demo/crowd.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <exception>
#include <new>
#include <thread>

#include "guest-lib/demo/demo.h"

namespace farcall::demo {

namespace {

constexpr std::chrono::milliseconds kReadyLimit(60'000);

/// struct sched_attr, which libc does not have: up to the slice.
struct SchedulerAttributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

void use_one_cpu() {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) throw Failure("cannot tell which CPUs there are");
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &set))
        cpu++;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) throw Failure("cannot stay on one CPU");
}

uint64_t clock_ns(clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) < 0) throw Failure("cannot read a process's CPU time");
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

Crowd::Crowd() {
    use_one_cpu();
    void* memory = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw Failure("no memory");
    board_ = new (memory) Board{};
}

Crowd::~Crowd() {
    for (const pid_t pid : pids_) {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
    munmap(board_, sizeof(Board));
}

void Crowd::run(const Work& work, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    try {
        work(*board_);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "farcall-demo: a member of the crowd: %s\n", error.what());
    }
    board_->failed++;
    _exit(1);
}

pid_t Crowd::add(const Work& work) {
    const pid_t parent = getpid();
    std::fflush(nullptr);
    const pid_t pid = fork();
    if (pid < 0) throw Failure("cannot start a process");
    if (pid == 0) run(work, parent);
    pids_.push_back(pid);
    return pid;
}

void Crowd::add_hogs(uint64_t count) {
    const auto spin = [](Board& board) {
        board.ready++;
        for (volatile uint64_t turns = 0;;)
            turns = turns + 1;
    };
    for (uint64_t i = 0; i < count; i++)
        add(spin);
}

void Crowd::check() const {
    if (board_->failed != 0) throw Failure("a member of the crowd failed");
}

void Crowd::wait_ready(uint32_t count) {
    constexpr std::chrono::milliseconds kStep(2);
    for (auto waited = kStep; board_->ready < count; waited += kStep) {
        check();
        if (waited > kReadyLimit) throw Failure("the crowd does not get ready");
        std::this_thread::sleep_for(kStep);
    }
}

void Crowd::run_for(std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
    check();
}

uint64_t cpu_ns(pid_t pid) {
    clockid_t clock = 0;
    if (clock_getcpuclockid(pid, &clock) != 0) throw Failure("cannot read a process's CPU time");
    return clock_ns(clock);
}

Scheduling scheduling_of(pid_t pid) {
    Scheduling out;
    errno = 0;
    out.nice = getpriority(PRIO_PROCESS, static_cast<id_t>(pid));
    if (errno != 0) throw Failure("cannot read a process's nice");
    SchedulerAttributes attributes{};
    if (syscall(SYS_sched_getattr, pid, &attributes, sizeof attributes, 0) == 0)
        out.slice_us = attributes.runtime / 1000;
    return out;
}

void work_for(std::chrono::nanoseconds time) {
    const uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + static_cast<uint64_t>(time.count());
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
        for (volatile int turns = 0; turns < 1000;)
            turns = turns + 1;
    }
}

uint64_t Sequence::below(uint64_t end) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % end;
}

uint64_t quantile(const std::vector<uint64_t>& sorted, double part) {
    return sorted[static_cast<size_t>(part * static_cast<double>(sorted.size() - 1))];
}

}  // namespace farcall::demo
