// SPDX-License-Identifier: MIT
#include "bench/noise.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <sstream>

#include "bench/proc_text.h"

namespace farcall::bench {
namespace {

constexpr double kManyOthers = 0.05;
constexpr double kMuchStolen = 0.01;
constexpr double kUnsteady = 0.1;
constexpr size_t kNamed = 4;  // the rest is counted

struct Process {
    uint64_t parent = 0;
    uint64_t ticks = 0;  ///< its own, and those of children that it has waited for
};

Process process_of(const std::string& stat) {
    Process process;
    const size_t name_end = stat.rfind(')');  // names may have spaces and parentheses
    if (name_end == std::string::npos) return process;
    std::istringstream fields(stat.substr(name_end + 1));
    std::string state, skipped;
    fields >> state >> process.parent;
    for (int field = 5; field < 14; field++)
        fields >> skipped;
    uint64_t value = 0;
    for (int field = 14; field <= 17 && fields >> value; field++)  // utime, stime, cutime, cstime
        process.ticks += value;
    return process;
}

/// Ticks that this process and those below it have used.
uint64_t own_ticks() {
    std::map<uint64_t, Process> all;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        all[std::stoull(name)] = process_of(proc_text(entry.path() / "stat"));
    }
    const auto self = static_cast<uint64_t>(getpid());
    uint64_t sum = 0;
    for (const auto& [pid, process] : all) {
        uint64_t above = pid;
        for (size_t steps = 0; above != self && above > 1 && steps < all.size(); steps++)
            above = all.contains(above) ? all[above].parent : 0;
        if (above == self) sum += process.ticks;
    }
    return sum;
}

double quantile(const std::vector<double>& sorted, double share) {
    return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

CoreTimes& CoreTimes::operator+=(const CoreTimes& other) {
    busy += other.busy, stolen += other.stolen, all += other.all;
    return *this;
}

CoreTimes CoreTimes::operator-(const CoreTimes& before) const {
    // Idle time is no counter that only grows, on some kernels.
    const auto less = [](uint64_t a, uint64_t b) { return a > b ? a - b : 0; };
    return {less(busy, before.busy), less(stolen, before.stolen), less(all, before.all)};
}

CoreTimes parse_core_times(std::string_view proc_stat, int core) {
    std::istringstream lines{std::string(proc_stat)};
    const std::string wanted = "cpu" + std::to_string(core);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string name;
        fields >> name;
        if (name != wanted) continue;
        std::array<uint64_t, 8>
            ticks{};  // user nice system idle iowait irq softirq steal; guests are in user
        for (uint64_t& value : ticks)
            fields >> value;
        const uint64_t busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6];
        return {busy, ticks[7], busy + ticks[7] + ticks[3] + ticks[4]};
    }
    return {};
}

Disturbance disturbance(const CoreTimes& cores, uint64_t own) {
    if (cores.all == 0) return {};
    const auto share = [&](uint64_t ticks) {
        return static_cast<double>(ticks) / static_cast<double>(cores.all);
    };
    return {.others = cores.busy > own ? share(cores.busy - own) : 0, .stolen = share(cores.stolen)};
}

std::vector<std::string> unsteady(const std::vector<Series>& series) {
    std::vector<std::string> names;
    for (const Series& one : series) {
        if (one.rounds.size() < 4) continue;
        std::vector<double> sorted = one.rounds;
        std::sort(sorted.begin(), sorted.end());
        if (quantile(sorted, 0.75) - quantile(sorted, 0.25) > kUnsteady * quantile(sorted, 0.5))
            names.push_back(one.name);
    }
    return names;
}

std::vector<std::string> complaints(const Disturbance& disturbance, const std::vector<Series>& series) {
    std::vector<std::string> out;
    if (disturbance.others > kManyOthers)
        out.push_back(
            fmt::format("other processes used {:.0f} % of the two cores", disturbance.others * 100));
    if (disturbance.stolen > kMuchStolen)
        out.push_back(
            fmt::format("this machine's own host took {:.0f} % of the two cores", disturbance.stolen * 100));
    std::vector<std::string> names = unsteady(series);
    if (!names.empty()) {
        const size_t all = names.size();
        names.resize(std::min(all, kNamed));
        out.push_back(fmt::format("{} of {} series differ by more than {:.0f} % from round to round: {}{}",
                                  all, series.size(), kUnsteady * 100, fmt::join(names, ", "),
                                  all > kNamed ? ", …" : ""));
    }
    return out;
}

NoiseWatch::NoiseWatch(const Cores& cores) : cores_(cores), start_(read()) {}

NoiseWatch::Reading NoiseWatch::read() const {
    const std::string stat = proc_text("/proc/stat");
    Reading reading{parse_core_times(stat, cores_.client), own_ticks()};
    reading.cores += parse_core_times(stat, cores_.worker);
    return reading;
}

Disturbance NoiseWatch::so_far() const {
    const Reading now = read();
    return disturbance(now.cores - start_.cores, now.own - start_.own);
}

}  // namespace farcall::bench
