// SPDX-License-Identifier: MIT
// What `farcall bench calls` starts, as it is, with the preload library and through farcall-exec: system
// calls that stay where they are, timed in chunks. It is a program of libc alone, since it stands for
// programs that know nothing of us.
//   farcall-calls CHUNKS FILE      writes a line for each chunk: the call, how often, and how many ns all
//   took
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 500 };

static int zero;
static FILE* out;

static void ask_parent(void) {
    (void)getppid();
}

static void read_byte(void) {
    char byte;
    if (read(zero, &byte, 1) != 1) _exit(1);
}

static void close_nothing(void) {
    if (close(-1) == 0) _exit(1);
}

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void chunk(const char* name, void (*call)(void)) {
    const long long start = now_ns();
    for (int i = 0; i < CALLS; i++)
        call();
    const long long ns = now_ns() - start;
    fprintf(out, "%s %d %lld\n", name, CALLS, ns);
}

int main(int argc, char** argv) {
    const int chunks = argc == 3 ? atoi(argv[1]) : 0;
    zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    out = argc == 3 ? fopen(argv[2], "we") : NULL;
    if (chunks <= 0 || zero < 0 || out == NULL) return 1;
    // By turns, so that what drifts does so for all. The first ones only warm up.
    for (int i = -2; i < chunks; i++) {
        if (i == 0) fprintf(out, "begin\n");
        chunk("getppid", ask_parent);
        chunk("read", read_byte);
        chunk("close", close_nothing);
    }
    fprintf(out, "end\n");
    return fclose(out) == 0 ? 0 : 1;
}
