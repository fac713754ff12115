// SPDX-License-Identifier: MIT
#include "bench/timed_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "bench/host_client.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

constexpr size_t kMostLines = 5'000'000;
constexpr size_t kMostBytes = 200;  // of a line
constexpr size_t kMostKinds = 64;

bool is_name(const std::string& text) {
    return !text.empty() && text.size() <= 40 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

/// True: the whole line was understood.
bool parse_line(const std::string& line, std::vector<TimedRound>& rounds) {
    std::istringstream fields(line);
    std::string word, kind, more;
    fields >> word;
    if (word == "round") {
        rounds.emplace_back();
        return !(fields >> more);
    }
    if (!(fields >> kind) || !is_name(kind) || rounds.empty()) return false;
    TimedRound& round = rounds.back();
    if (round.timed.size() + round.plain.size() + round.counts.size() > kMostKinds) return false;
    if (word == "timed") {
        bench_timed one{};
        fields >> one.posted >> one.seen >> one.picked_up >> one.started_after >> one.completed_after;
        TimedRound::of(round.timed, kind).push_back(one);
        if (one.seen < one.posted || one.completed_after < one.started_after) return false;
    } else if (word == "plain") {
        uint64_t ticks = 0;
        fields >> ticks;
        TimedRound::of(round.plain, kind).push_back(bench_sample(ticks));
    } else if (word == "counts") {
        TimedRound::Counts& counts = TimedRound::of(round.counts, kind);
        fields >> counts.operations >> counts.doorbells >> counts.sleeps >> counts.exits;
        if (counts.operations == 0) return false;
    } else {
        return false;
    }
    return !fields.fail() && !(fields >> more);
}

}  // namespace

std::vector<TimedRound> parse_timed_lines(std::istream& in) {
    std::vector<TimedRound> rounds;
    std::string line;
    size_t number = 0;
    while (std::getline(in, line) && line != "end") {
        if (++number > kMostLines || line.size() > kMostBytes || !parse_line(line, rounds))
            throw Error(fmt::format("line {} of the guest's figures is none: '{}'", number,
                                    line.substr(0, kMostBytes)));
    }
    if (line != "end" || rounds.empty()) throw Error("the guest's figures are not complete");
    for (TimedRound& round : rounds)
        if (TimedRound::of(round.timed, kQuickestKind).empty())
            throw Error(fmt::format("the guest's figures have a round without '{}'", kQuickestKind));
    return rounds;
}

}  // namespace farcall::bench
