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
    {"abuse", farcall::demo::abuse, "abuse [--symlink PATH] all|CASE"},
};

int usage() {
    std::fprintf(stderr, "usage:\n");
    for (const Subcommand& subcommand : kSubcommands)
        std::fprintf(stderr, "  farcall-demo %s\n", subcommand.usage);
    std::fprintf(stderr, "Paths are [SHARE:]path inside a shared directory; share 0 by default.\n");
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
