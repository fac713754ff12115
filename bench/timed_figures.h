// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/clock_relation.h"
#include "bench/report.h"

namespace farcall::bench {

/// Commands with time stamps, by kind: for each a series "timed_KIND" and, at the end, a split of it.
class TimedFigures {
  public:
    using PerOperation = std::vector<std::pair<std::string, double>>;

    /// `report` outlives the object.
    explicit TimedFigures(Report& report) : report_(report) {}

    /// From commands that were as quick as can be; how sure it is goes into the report.
    ClockRelation relate(std::span<const bench_timed> samples);
    /// A round of a kind. Its parts count only where the relation is known.
    void add(const std::string& kind, std::span<const bench_timed> samples, const ClockRelation& relation);
    /// `exits` of the VM in an operation, and the rest of what is counted beside the time of that kind.
    void add_split(const std::string& kind, std::pair<std::string, double> exits, PerOperation rest,
                   double exit_price_ns);
    /// What the splits depend on.
    void tell(double exit_price_ns);

  private:
    Report& report_;
    std::map<std::string, TimedSplit> splits_;
    double uncertainty_ = 0;
    uint32_t unrelated_ = 0;
};

}  // namespace farcall::bench
