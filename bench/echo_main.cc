// SPDX-License-Identifier: MIT
// farcall-echo FIRST-PORT: servers of all ways (echo_loops.h) for `farcall bench aem-vm`, one port each from
// there on. A program of its own, with a dynamic linker: in a guest the library for unmodified programs makes
// descriptors of the host's sockets of what the first three do.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "bench/echo_loops.h"

using namespace farcall::bench;

namespace {

/// A process that serves, and that listens when this returns. False: it does not.
bool start(const Way& way, uint16_t port) {
    int ends[2];
    if (pipe(ends) < 0) return false;
    const pid_t pid = fork();
    if (pid < 0) return false;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        const EchoSetup setup{.hears = way.hears, .anywhere = true, .port = port};
        serve_echo(setup, [&](uint16_t) {
            if (write(ends[1], "", 1) != 1) _exit(1);
            close(ends[1]);
        });
    }
    close(ends[1]);
    char word = 0;
    const bool listens = read(ends[0], &word, 1) == 1;
    close(ends[0]);
    return listens;
}

}  // namespace

int main(int argc, char** argv) {
    const unsigned long first = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
    if (first == 0 || first + kWays.size() > 65536) {
        std::fprintf(stderr, "usage: farcall-echo FIRST-PORT\n");
        return 1;
    }
    auto port = static_cast<uint16_t>(first);
    for (const Way& way : kWays) {
        if (!start(way, port++)) {
            std::fprintf(stderr, "farcall-echo: the server with %s does not start\n", way.name);
            return 1;
        }
    }
    std::puts(kEchoListens);
    std::fflush(stdout);
    // Until somebody ends this, or one of them.
    int status = 0;
    wait(&status);
    std::fprintf(stderr, "farcall-echo: a server has ended\n");
    return 1;
}
