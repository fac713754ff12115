// SPDX-License-Identifier: MIT
#include "bench/compare.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/stats.h"

namespace farcall::bench {
namespace {

using Figures = std::map<std::string, std::vector<double>>;

/// What has to be alike for nanoseconds to be comparable.
constexpr const char* kSameMachine[] = {"cpu", "cores", "kernel", "kvm", "mitigations"};

std::vector<Line> lines_of(const std::vector<std::string>& names, const Figures& before,
                           const Figures& after) {
    std::vector<Line> lines;
    for (const std::string& name : names) {
        const auto a = before.find(name), b = after.find(name);
        if (a == before.end() || b == after.end()) continue;
        Line line{name, median(a->second), median(b->second), ratio_interval(b->second, a->second), {}};
        line.verdict = judge(line.change);
        lines.push_back(std::move(line));
    }
    return lines;
}

bool has(const Record& record, const std::string& name) {
    return record.series.contains(name) || record.ratios.contains(name);
}

std::string fact(const Record& record, const char* name) {
    const auto found = record.machine.find(name);
    return found == record.machine.end() ? "unknown" : found->second;
}

const char* word(Verdict verdict) {
    switch (verdict) {
        case Verdict::kLower:
            return "lower";
        case Verdict::kHigher:
            return "higher";
        case Verdict::kSame:
            return "no difference shown";
        default:
            return "too few rounds";
    }
}

void print_lines(const char* title, const std::vector<Line>& lines) {
    if (lines.empty()) return;
    fmt::print("\n{:<72}{:>12}{:>12}{:>8}{:>16}  {}\n", title, "before", "after", "change", "95 %",
               "verdict");
    for (const Line& line : lines)
        fmt::print("{:<72}{:>12.2f}{:>12.2f}{:>8.3f}{:>16}  {}\n", line.name, line.before, line.after,
                   line.change.value, fmt::format("{:.3f}..{:.3f}", line.change.low, line.change.high),
                   word(line.verdict));
}

void print_names(const std::string& where, const std::vector<std::string>& names) {
    for (const std::string& name : names)
        fmt::print("only in {}: {}\n", where, name);
}

}  // namespace

Verdict judge(const Interval& change) {
    if (!change.known) return Verdict::kTooFew;
    if (change.has(1)) return Verdict::kSame;
    return change.value < 1 ? Verdict::kLower : Verdict::kHigher;
}

Comparison compare(const Record& before, const Record& after) {
    Comparison result;
    result.ratios = lines_of(before.names, before.ratios, after.ratios);
    result.series = lines_of(before.names, before.series, after.series);
    for (const std::string& name : before.names)
        if (!has(after, name)) result.only_before.push_back(name);
    for (const std::string& name : after.names)
        if (!has(before, name)) result.only_after.push_back(name);
    for (const char* name : kSameMachine)
        if (fact(before, name) != fact(after, name))
            result.differences.push_back(
                fmt::format("{}: {} and {}", name, fact(before, name), fact(after, name)));
    return result;
}

void print_comparison(const Record& before, const Record& after) {
    const Comparison result = compare(before, after);
    fmt::print("before: {}\nafter: {}\n", before.path, after.path);
    print_lines("ratio within one run", result.ratios);
    for (const std::string& difference : result.differences)
        fmt::print("\nNOT THE SAME MACHINE: {}; what follows cannot be compared\n", difference);
    print_lines("ns per operation", result.series);
    fmt::print("\n");
    print_names(before.path, result.only_before);
    print_names(after.path, result.only_after);
    const size_t lines = result.ratios.size() + result.series.size();
    fmt::print("A verdict is 95 % sure: of these {} lines some {:.0f} may say so by chance.\n", lines,
               static_cast<double>(lines) * (1 - kConfidence));
}

}  // namespace farcall::bench
