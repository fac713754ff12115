// SPDX-License-Identifier: MIT
#pragma once

#include <istream>
#include <string>
#include <utility>
#include <vector>

#include "bench/payload/run.h"

namespace farcall::bench {

/// The kind by which clocks are related: the quickest ways bound them best. Each round has some of it.
constexpr const char* kQuickestKind = "nop";

/// What `farcall-demo timed` says in one round (guest-lib/demo/timed.cc), kinds in their order.
struct TimedRound {
    template <typename T>
    using ByKind = std::vector<std::pair<std::string, T>>;
    struct Counts {
        uint64_t operations = 0, doorbells = 0, sleeps = 0, exits = 0;
    };

    ByKind<std::vector<bench_timed>> timed;
    ByKind<std::vector<uint32_t>> plain;  ///< ticks
    ByKind<Counts> counts;

    /// Of that kind; a new one if there is none yet.
    template <typename T>
    static T& of(ByKind<T>& all, const std::string& kind) {
        for (auto& [name, value] : all)
            if (name == kind) return value;
        return all.emplace_back(kind, T{}).second;
    }
};

/// They come from a guest: throws farcall::Error, which names the line, for anything but what is expected,
/// more lines or kinds than there can be, or lines that end too soon.
std::vector<TimedRound> parse_timed_lines(std::istream& in);

}  // namespace farcall::bench
