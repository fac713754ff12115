// SPDX-License-Identifier: MIT
#include "bench/report.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "host-lib/error.h"

namespace farcall::bench {
namespace {

using Json = nlohmann::ordered_json;

Json machine_json(const Report& report) {
    Json json{{"cpu", report.machine.cpu},
              {"kernel", report.machine.kernel},
              {"kvm", report.machine.kvm},
              {"cores", report.machine.cores},
              {"load_average", report.machine.load},
              {"tsc_mhz", report.results.ticks_per_ns() * 1000},
              {"client_core", report.cores.client},
              {"worker_core", report.cores.worker},
              {"rounds", report.rounds},
              {"seconds", report.seconds}};
    for (const auto& [name, value] : report.counters)
        json[name] = value;
    for (const auto& [name, value] : report.facts)
        json[name] = value;
    return json;
}

Json series_json(const Series& series) {
    return {{"name", series.name},
            {"p50_ns", series.p50_ns},
            {"p99_ns", series.p99_ns},
            {"ops_per_s", series.ops_per_s},
            {"ops_per_s_mean", series.ops_per_s_mean},
            {"in_flight", series.in_flight},
            {"ops_per_sample", series.chunk},
            {"samples", series.samples.size()}};
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
    fmt::print("\n{:<44}{:>12}{:>12}{:>14}{:>14}\n", "per operation", "p50 ns", "p99 ns", "million/s",
               "mean");
    for (const Series& series : report.results.series())
        fmt::print("{:<44}{:>12.1f}{:>12.1f}{:>14.3f}{:>14.3f}\n", series.name, series.p50_ns, series.p99_ns,
                   series.ops_per_s / 1e6, series.ops_per_s_mean / 1e6);
    fmt::print("\n{:<72}{:>8}  {}\n", "ratio (ns per operation, median of the rounds)", "", "expected");
    for (const Ratio& ratio : report.results.ratios())
        fmt::print("{:<72}{:>8.2f}  {}\n", ratio.name, ratio.value, ratio.aim);
    for (const Skipped& skipped : report.results.skipped())
        fmt::print("\nSKIPPED {}: {}\n", skipped.name, skipped.reason);
}

void write_json(const Report& report, const std::string& path) {
    Json json{{"machine", machine_json(report)}};
    json["results"] = Json::array();
    for (const Series& series : report.results.series())
        json["results"].push_back(series_json(series));
    json["ratios"] = Json::object();
    for (const Ratio& ratio : report.results.ratios())
        json["ratios"][ratio.name] = ratio.value;
    json["skipped"] = Json::array();
    for (const Skipped& skipped : report.results.skipped())
        json["skipped"].push_back({{"name", skipped.name}, {"reason", skipped.reason}});
    std::ofstream file(path);
    file << json.dump(2) << '\n';
    if (!file.flush()) throw Error("cannot write the figures to " + path);
}

}  // namespace farcall::bench
