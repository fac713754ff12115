// SPDX-License-Identifier: MIT
#include "bench/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/html/scale.h"
#include "bench/interval.h"

namespace farcall::bench {
namespace {

/// Where its true value lies, as sure as the rounds allow.
std::string between(const Ratio& ratio) {
    const Interval interval = median_interval(ratio.rounds);
    return interval.known ? fmt::format("{:.2f}..{:.2f}", interval.low, interval.high) : "";
}

constexpr size_t kSplitColumn = 24;

using Cells = std::vector<std::pair<std::string, std::string>>;  // by the names of their columns

size_t width_of(const std::string& column) {
    return std::max(kSplitColumn, column.size() + 2);
}

/// The columns' names are printed again where they change.
void print_split_table(const std::vector<Split>& splits, const char* title, Cells (*cells_of)(const Split&)) {
    std::vector<std::string> columns;
    for (const Split& split : splits) {
        const Cells cells = cells_of(split);
        if (cells.empty()) continue;
        std::vector<std::string> names;
        for (const auto& [name, value] : cells)
            names.push_back(name);
        if (names != columns) {
            fmt::print("\n{:<32}", title);
            for (const std::string& name : names)
                fmt::print("{:>{}}", name, width_of(name));
            fmt::print("\n");
            columns = std::move(names);
        }
        fmt::print("{:<32}", split.name);
        for (const auto& [name, value] : cells)
            fmt::print("{:>{}}", value, width_of(name));
        fmt::print("\n");
    }
}

Cells parts_of(const Split& split) {
    Cells cells;
    for (const Split::Part& part : split.parts)
        cells.emplace_back(part.name, html::time_text(part.p50_ns));
    return cells;
}

Cells counts_of(const Split& split) {
    Cells cells;
    for (const auto& [name, count] : split.per_operation)
        cells.emplace_back(name, fmt::format("{:.2f}", count));
    return cells;
}

}  // namespace

void print_report(const Report& report) {
    const Machine& machine = report.machine;
    fmt::print("{}, {} cores, kernel {}, KVM: {}, load {:.2f}\n", machine.cpu, machine.cores, machine.kernel,
               machine.kvm, machine.load);
    fmt::print("client on core {}, worker on core {}, {} rounds in {:.1f} s\n", report.cores.client,
               report.cores.worker, report.rounds, report.seconds);
    for (const auto& [name, value] : report.facts)
        fmt::print("{}: {}\n", name, value);
    fmt::print("\n{:<44}{:>12}{:>12}{:>16}{:>16}\n", "per operation", "p50", "p99", "a second", "mean");
    for (const Series& series : report.results.series())
        fmt::print("{:<44}{:>12}{:>12}{:>16}{:>16}\n", series.name, html::time_text(series.p50_ns),
                   html::time_text(series.p99_ns), html::rate_text(series.ops_per_s),
                   html::rate_text(series.ops_per_s_mean));
    fmt::print("\n{:<72}{:>8}{:>16}  {}\n", "ratio (ns per operation, median of the rounds)", "", "95 %",
               "expected");
    for (const Ratio& ratio : report.results.ratios())
        fmt::print("{:<72}{:>8.2f}{:>16}  {}\n", ratio.name, ratio.value, between(ratio), ratio.aim);
    print_split_table(report.results.splits(), "where the time goes, p50", parts_of);
    print_split_table(report.results.splits(), "in an operation", counts_of);
    for (const std::string& warning : report.warnings)
        fmt::print("\nLESS SURE: {}\n", warning);
    for (const Skipped& skipped : report.results.skipped())
        fmt::print("\nSKIPPED {}: {}\n", skipped.name, skipped.reason);
}

}  // namespace farcall::bench
