// SPDX-License-Identifier: MIT
#include "bench/timed_figures.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/host_client.h"

namespace farcall::bench {
namespace {

std::string name_of(const std::string& kind) {
    return "timed_" + kind;
}

}  // namespace

ClockRelation TimedFigures::relate(std::span<const bench_timed> samples) {
    const ClockRelation relation(report_.results.ticks_per_ns(), samples);
    if (relation.known())
        uncertainty_ = std::max(uncertainty_, relation.uncertainty_ns());
    else
        unrelated_++;
    return relation;
}

void TimedFigures::add(const std::string& kind, std::span<const bench_timed> samples,
                       const ClockRelation& relation) {
    std::vector<uint32_t> ticks;
    ticks.reserve(samples.size());
    for (const bench_timed& one : samples)
        ticks.push_back(bench_sample(one.seen - one.posted));
    report_.results.add(name_of(kind), std::move(ticks));
    splits_[kind].add(samples, relation);
}

void TimedFigures::add_split(const std::string& kind, std::pair<std::string, double> exits, PerOperation rest,
                             double exit_price_ns) {
    const TimedSplit& parts = splits_[kind];
    if (parts.empty()) return;
    Split split = parts.split(name_of(kind));
    split.per_operation = {exits, {"ns at their price", exits.second * exit_price_ns}};
    split.per_operation.insert(split.per_operation.end(), rest.begin(), rest.end());
    report_.results.add_split(std::move(split));
}

void TimedFigures::tell(double exit_price_ns) {
    report_.facts.emplace_back("clock relation", fmt::format("known to ± {:.0f} ns", uncertainty_));
    report_.facts.emplace_back("price of a VM exit", fmt::format("{:.0f} ns (--exit-price)", exit_price_ns));
    if (unrelated_ != 0)
        report_.warnings.push_back(
            fmt::format("{} rounds had clocks that contradict each other: not in the splits", unrelated_));
}

}  // namespace farcall::bench
