// SPDX-License-Identifier: MIT
#include "bench/full_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "bench/json_checks.h"
#include "bench/json_text.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostFacts = 100;  // about the machine

Series series_of(const Json& json) {
    Series series;
    series.name = name_of(json.at("name"));
    series.in_flight = static_cast<uint32_t>(number(json.at("in_flight"), series.name, 1e9, 1));
    series.rounds = rounds_of(json.at("rounds_ns"), series.name);
    series.p50_ns = number(json.at("p50_ns"), series.name);
    series.p99_ns = number(json.at("p99_ns"), series.name);
    series.ops_per_s = number(json.at("ops_per_s"), series.name, kLongestNs);
    for (size_t i = 0; i < kPercents.size(); i++)
        series.percentiles_ns[i] =
            number(json.at("percentiles_ns").at(fmt::format("{:g}", kPercents[i])), series.name);
    const Json& quantiles = bounded(json.at("quantiles_ns"), "quantiles_ns", kQuantiles);
    if (quantiles.size() != kQuantiles)
        throw Error(
            fmt::format("'{}' has {} quantiles_ns, not {}", series.name, quantiles.size(), kQuantiles));
    for (size_t i = 0; i < kQuantiles; i++)
        series.quantiles_ns[i] = number(quantiles[i], series.name);
    if (!std::ranges::is_sorted(series.percentiles_ns) || !std::ranges::is_sorted(series.quantiles_ns))
        throw Error(fmt::format("the percentiles of '{}' decrease", series.name));
    return series;
}

Split split_of(const Json& json) {
    Split split{.name = name_of(json.at("name")), .parts = {}, .per_operation = {}};
    for (const Json& part : bounded(json.at("parts"), "parts of a split", kMostParts))
        split.parts.push_back({name_of(part.at("name")), number(part.at("p50_ns"), split.name)});
    split.per_operation = counts_of(json.at("per_operation"), split.name);
    if (split.parts.empty() && split.per_operation.empty())
        throw Error(fmt::format("the split '{}' has neither parts nor counts", split.name));
    return split;
}

/// `expected` may be missing: it came into schema 3 later than the rest.
std::vector<Ratio> ratios_of(const Json& json) {
    const Json& rounds = bounded(json.at("ratio_rounds"), "ratio_rounds", kMostItems, true);
    const Json expected = json.value("ratio_expected", Json::object());
    std::vector<Ratio> ratios;
    for (const auto& [name, value] : bounded(json.at("ratios"), "ratios", kMostItems, true).items()) {
        if (name.size() > 2 * kLongestName + 3) throw Error("the name of a ratio is too long");
        Ratio ratio{name, number(value, name), {}, {}};
        if (rounds.contains(name)) ratio.rounds = rounds_of(rounds.at(name), name);
        if (expected.contains(name)) ratio.aim = text_of(expected.at(name), "expectation");
        ratios.push_back(std::move(ratio));
    }
    return ratios;
}

void refuse_twice(const std::vector<Series>& all) {
    std::set<std::string_view> names;
    for (const Series& series : all)
        if (!names.insert(series.name).second) throw Error(fmt::format("'{}' is there twice", series.name));
}

FullRecord record_of(const Json& json) {
    FullRecord record;
    record.bench = name_of(json.at("bench"));
    record.version = name_of(json.at("version"));
    for (const auto& [name, value] : bounded(json.at("machine"), "facts", kMostFacts, true).items())
        record.machine.emplace_back(name_of(name), fact_of(value));
    for (const Json& series : bounded(json.at("results"), "results", kMostItems))
        record.series.push_back(series_of(series));
    refuse_twice(record.series);
    record.ratios = ratios_of(json);
    for (const Json& split : bounded(json.at("splits"), "splits", kMostItems))
        record.splits.push_back(split_of(split));
    for (const Json& skipped : bounded(json.at("skipped"), "skipped", kMostItems))
        record.skipped.push_back({name_of(skipped.at("name")), text_of(skipped.at("reason"), "reason")});
    for (const Json& warning : bounded(json.at("warnings"), "warnings", kMostItems))
        record.warnings.push_back(text_of(warning, "warning"));
    return record;
}

}  // namespace

FullRecord parse_full_record(std::string_view text, const std::string& origin) {
    FullRecord record;
    use_record(text, origin, [&](const Json& json) { record = record_of(json); });
    return record;
}

FullRecord read_full_record(const std::string& path) {
    FullRecord record = parse_full_record(read_text(path), path);
    record.path = path;
    return record;
}

}  // namespace farcall::bench
