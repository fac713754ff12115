// SPDX-License-Identifier: MIT
#include <cstdio>
#include <cstring>

#include "tests/preload/victim.h"

int main(int count, char** words) {
    struct Mode {
        const char* name;
        int (*run)();
    };
    static constexpr Mode kModes[] = {
        {"registers", victim::registers},
        {"bytes", victim::bytes},
        {"small_stack", victim::small_stack},
        {"jumps", victim::jumps},
        {"stacks", victim::stacks},
        {"exceptions", victim::exceptions},
        {"cancel", victim::cancel},
        {"restart", victim::restart},
        {"plugins", victim::plugins},
        {"spawn", victim::spawn},
        {"environment", victim::environment},
        {"descriptors", victim::descriptors},
        {"restricted", victim::restricted},
        {"filtered", victim::filtered},
        {"faults", victim::faults},
        {"storm", victim::storm},
        {"cost", victim::cost},
    };
    for (const Mode& mode : kModes)
        if (count == 2 && std::strcmp(words[1], mode.name) == 0) return mode.run();
    std::fprintf(stderr, "no such mode\n");
    return 2;
}
