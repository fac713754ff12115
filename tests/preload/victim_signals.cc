// SPDX-License-Identifier: MIT
// What is about signals, unwinding and threads that end early.
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "tests/preload/victim.h"

namespace victim {

namespace {

sigjmp_buf back;
volatile sig_atomic_t seen;
char* volatile nowhere = reinterpret_cast<char*>(8);

void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(number, &action, nullptr);
}

void after(long microseconds) {
    const itimerval timer{{0, 0}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, nullptr);
}

void jump(int) {
    siglongjmp(back, 1);
}

void note(int) {
    seen = seen + 1;
}

}  // namespace

int jumps() {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return 1;
    handle(SIGALRM, jump, 0);
    std::atomic<int> count = 0;
    for (std::atomic<int> i = 0; i < 200; i++) {
        if (sigsetjmp(back, 1) != 0) {
            count++;
            continue;
        }
        after(200);
        char byte;
        if (read(pipe_ends[0], &byte, 1) != 0) return 1;
    }
    std::printf("%d\n", count.load());
    return 0;
}

int stacks() {
    static char memory[64 << 10];
    const stack_t stack{memory, 0, sizeof(memory)};
    sigaltstack(&stack, nullptr);
    handle(
        SIGSEGV,
        [](int) {
            char here;
            const auto at = reinterpret_cast<uintptr_t>(&here) - reinterpret_cast<uintptr_t>(memory);
            const char* text = at < sizeof(memory) ? "on the other stack\n" : "on the same stack\n";
            if (write(1, text, std::strlen(text)) < 0) std::abort();
            siglongjmp(back, 1);
        },
        SA_ONSTACK);
    std::fflush(stdout);
    for (std::atomic<int> i = 0; i < 3; i++)
        if (sigsetjmp(back, 1) == 0) *nowhere = 1;
    // Code that is written to: the text of libc is as read-only as ever.
    if (sigsetjmp(back, 1) == 0)
        *reinterpret_cast<volatile char*>(reinterpret_cast<uintptr_t>(&::getpid)) = 1;
    std::printf("done\n");
    return 0;
}

namespace {

struct Note {
    ~Note() { std::printf("left\n"); }
};

[[gnu::noinline]] void throwing(int depth) {
    const Note note;
    if (write(1, "", 0) != 0) return;
    if (depth == 0) throw std::runtime_error("thrown");
    throwing(depth - 1);
}

int read_end;

[[gnu::noinline]] void* cancelled(void*) {
    const Note note;
    char byte;
    if (read(read_end, &byte, 1) == 0) std::printf("read\n");
    return nullptr;
}

}  // namespace

int exceptions() {
    try {
        throwing(3);
    } catch (const std::exception& error) {
        std::printf("%s\n", error.what());
    }
    // Out of a handler, through the call that the signal interrupted.
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return 1;
    handle(
        SIGALRM, [](int) { throw 7; }, SA_NODEFER);
    try {
        const Note note;
        after(2000);
        char byte;
        if (read(pipe_ends[0], &byte, 1) >= 0) return 1;
    } catch (int number) {
        std::printf("%d out of read\n", number);
    }
    return 0;
}

int cancel() {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return 1;
    read_end = pipe_ends[0];
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        void* result = nullptr;
        if (pthread_create(&thread, nullptr, cancelled, nullptr) != 0) return 1;
        usleep(2000);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        std::printf("%d\n", result == PTHREAD_CANCELED);
    }
    return 0;
}

int restart() {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return 1;
    char byte;
    handle(SIGALRM, note, 0);
    after(2000);
    const ssize_t n = read(pipe_ends[0], &byte, 1);
    std::printf("%zd %s %d\n", n, std::strerror(errno), static_cast<int>(seen));
    static int out;
    out = pipe_ends[1];
    handle(
        SIGALRM,
        [](int) {
            seen = seen + 1;
            if (seen == 4 && write(out, "x", 1) != 1) std::abort();
            if (seen < 4) after(2000);
        },
        SA_RESTART);
    after(2000);
    const ssize_t restarted = read(pipe_ends[0], &byte, 1);
    std::printf("%zd %c %d\n", restarted, byte, static_cast<int>(seen));
    return 0;
}

}  // namespace victim
