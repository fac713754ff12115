// SPDX-License-Identifier: MIT
#include "bench/record.h"

#include <fmt/format.h>
#include <cmath>

#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/interval.h"
#include "bench/json_text.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

using Json = nlohmann::ordered_json;

Json machine_json(const Report& report) {
    Json json{{"cpu", report.machine.cpu},
              {"kernel", report.machine.kernel},
              {"kvm", report.machine.kvm},
              {"mitigations", report.machine.mitigations},
              {"cores", report.machine.cores},
              {"load_average", report.machine.load},
              {"ticks_mhz", report.results.ticks_per_ns() * 1000},
              {"client_core", report.cores.client},
              {"worker_core", report.cores.worker},
              {"rounds", report.rounds},
              {"seconds", report.seconds},
              {"commit", FARCALL_COMMIT},
              {"others_share", report.disturbance.others},
              {"stolen_share", report.disturbance.stolen}};
    for (const auto& [name, value] : report.counters)
        json[name] = value;
    for (const auto& [name, value] : report.facts)
        json[name] = value;
    return json;
}

Json series_json(const Series& series) {
    const Interval typical = median_interval(series.rounds);
    Json percentiles = Json::object();
    for (size_t i = 0; i < kPercents.size(); i++)
        percentiles[fmt::format("{:g}", kPercents[i])] = series.percentiles_ns[i];
    return {{"name", series.name},
            {"p50_ns", series.p50_ns},
            {"p99_ns", series.p99_ns},
            {"percentiles_ns", percentiles},
            {"quantiles_ns", series.quantiles_ns},
            {"rounds_ns", series.rounds},
            {"typical_ns", {{"value", typical.value}, {"low", typical.low}, {"high", typical.high}}},
            {"ops_per_s", series.ops_per_s},
            {"ops_per_s_mean", series.ops_per_s_mean},
            {"in_flight", series.in_flight},
            {"ops_per_sample", series.chunk},
            {"samples", series.samples.size()}};
}

Json split_json(const Split& split) {
    Json json{{"name", split.name}, {"parts", Json::array()}, {"per_operation", Json::object()}};
    for (const Split::Part& part : split.parts)
        json["parts"].push_back({{"name", part.name}, {"p50_ns", part.p50_ns}});
    for (const auto& [name, count] : split.per_operation)
        json["per_operation"][name] = count;
    return json;
}

/// Numbers above 0, as all that is measured is.
std::vector<double> numbers(const Json& json, const std::string& name) {
    const auto values = json.get<std::vector<double>>();
    for (const double value : values)
        if (!std::isfinite(value) || value <= 0)
            throw Error(fmt::format("'{}' has a round of {}", name, value));
    if (values.empty()) throw Error(fmt::format("'{}' has no rounds", name));
    return values;
}

void add(Record& record, std::map<std::string, std::vector<double>>& figures, const std::string& name,
         const Json& rounds) {
    if (!figures.emplace(name, numbers(rounds, name)).second)
        throw Error(fmt::format("'{}' is there twice", name));
    record.names.push_back(name);
}

Record parse(const Json& json) {
    Record record;
    for (const auto& [name, value] : json.at("machine").items())
        record.machine[name] = value.is_string() ? value.get<std::string>() : value.dump();
    for (const Json& series : json.at("results"))
        add(record, record.series, series.at("name").get<std::string>(), series.at("rounds_ns"));
    for (const auto& [name, rounds] : json.at("ratio_rounds").items())
        add(record, record.ratios, name, rounds);
    return record;
}

}  // namespace

std::string record_text(const Report& report) {
    Json json{{"schema", kRecordSchema},
              {"version", FARCALL_VERSION},
              {"bench", report.name},
              {"machine", machine_json(report)}};
    json["results"] = Json::array();
    for (const Series& series : report.results.series())
        json["results"].push_back(series_json(series));
    json["ratios"] = Json::object();
    json["ratio_rounds"] = Json::object();
    json["ratio_expected"] = Json::object();
    for (const Ratio& ratio : report.results.ratios()) {
        json["ratios"][ratio.name] = ratio.value;
        if (!ratio.rounds.empty()) json["ratio_rounds"][ratio.name] = ratio.rounds;
        if (!ratio.aim.empty()) json["ratio_expected"][ratio.name] = ratio.aim;
    }
    json["splits"] = Json::array();
    for (const Split& split : report.results.splits())
        json["splits"].push_back(split_json(split));
    json["warnings"] = report.warnings;
    json["skipped"] = Json::array();
    for (const Skipped& skipped : report.results.skipped())
        json["skipped"].push_back({{"name", skipped.name}, {"reason", skipped.reason}});
    return json.dump(2) + '\n';
}

void write_json(const Report& report, const std::string& path) {
    std::ofstream file(path);
    file << record_text(report);
    if (!file.flush()) throw Error("cannot write the figures to " + path);
}

Record read_record(const std::string& path) {
    Record record;
    use_record(read_text(path), path, [&](const Json& json) { record = parse(json); });
    record.path = path;
    return record;
}

}  // namespace farcall::bench
