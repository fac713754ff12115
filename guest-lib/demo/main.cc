// SPDX-License-Identifier: MIT
// farcall-demo: what libfarcall can do, and what a hostile process can't. Runs over either transport
// (FARCALL).
#include <cstdio>
#include <cstring>
#include <exception>

#include "guest-lib/demo/demo.h"

namespace {

struct Subcommand {
    const char* name;
    int (*run)(farcall::demo::Arguments&);
    const char* usage;
};

constexpr Subcommand kSubcommands[] = {
    {"cat", farcall::demo::cat, "cat [--parallel] [--buffer BYTES] FILE1 FILE2 OUT"},
    {"catmany", farcall::demo::catmany, "catmany [--buffer BYTES] [--manifest FILE] LIST OUT"},
    {"latency", farcall::demo::latency, "latency [--nops N] [--reads N] [--json] FILE"},
    {"wakeup", farcall::demo::wakeup,
     "wakeup [--hogs N] [--rivals N] [--rival-priority P] [--count N] [--period-us US] [--priority P] "
     "[--json [--samples]]"},
    {"shares", farcall::demo::shares,
     "shares [--priorities P,P,...] [--plain N] [--storm] [--milliseconds MS] [--expect none|weighted] "
     "[--json]"},
    {"eventcost", farcall::demo::event_cost, "eventcost [--polled N] [--slept N] [--json]"},
    {"inherit", farcall::demo::inherit, "inherit"},
    {"urgent", farcall::demo::urgent, "urgent [--milliseconds MS] | urgent --sleep"},
    {"abuse", farcall::demo::abuse, "abuse [--symlink PATH] all|CASE"},
    {"files", farcall::demo::files, "files READ-ONLY-FILE NEW-DIRECTORY"},
    {"list", farcall::demo::list, "list [--buffer BYTES] DIRECTORY"},
    {"call", farcall::demo::call, "call [--refused] [--bytes N] PEER"},
    {"serve", farcall::demo::serve, "serve [--count N] PEER"},
    {"sendfile", farcall::demo::sendfile, "sendfile FILE PEER"},
    {"calls", farcall::demo::calls, "calls [--op N] SERVICE"},
    {"neighbours", farcall::demo::neighbours, "neighbours [--workers N] OUT"},
    {"detach", farcall::demo::detach, "detach [--stay|--close] [--after MS] OUT"},
    {"timed", farcall::demo::timed, "timed [--rounds N] FILE MOUNTED-FILE LOCAL-FILE"},
    {"timers", farcall::demo::timers, "timers"},
    {"twins", farcall::demo::twins, "twins [--misuse] [--rounds N] [--case NAME] PORTS"},
};

int usage() {
    std::fprintf(stderr, "usage:\n");
    for (const Subcommand& subcommand : kSubcommands)
        std::fprintf(stderr, "  farcall-demo %s\n", subcommand.usage);
    std::fprintf(stderr,
                 "Paths are [SHARE:]path inside a shared directory; share 0 by default.\n"
                 "Peers are tcp:ADDRESS:PORT, udp:ADDRESS:PORT or unix:[SHARE:]path.\n");
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return usage();
    for (const Subcommand& subcommand : kSubcommands) {
        if (std::strcmp(argv[1], subcommand.name) != 0) continue;
        try {
            farcall::demo::Arguments arguments({argv + 2, argv + argc});
            return subcommand.run(arguments);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "farcall-demo: %s\n", error.what());
            return 1;
        }
    }
    return usage();
}
