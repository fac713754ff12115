// SPDX-License-Identifier: MIT
#include "bench/json_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "host-lib/error.h"

namespace farcall::bench {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json, const char* what, size_t longest) {
    auto text = json.get<std::string>();
    if (text.size() > longest) throw Error(fmt::format("a {} of more than {} bytes", what, longest));
    if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }))
        throw Error(fmt::format("a {} with a control character", what));
    return text;
}

std::string name_of(const Json& json) {
    auto name = text_of(json, "name", kLongestName);
    if (name.empty()) throw Error("an empty name");
    return name;
}

std::string fact_of(const Json& json) {
    if (json.is_string()) return text_of(json, "fact");
    if (!json.is_primitive()) throw Error("a fact is neither text nor a number");
    return json.dump();
}

const Json& bounded(const Json& json, const char* what, size_t most, bool object) {
    if (object ? !json.is_object() : !json.is_array())
        throw Error(fmt::format("{} is no {}", what, object ? "object" : "array"));
    if (json.size() > most) throw Error(fmt::format("more than {} {}", most, what));
    return json;
}

double number(const Json& json, const std::string& of, double most, double least) {
    const auto value = json.get<double>();
    if (!std::isfinite(value) || value < least || value > most)
        throw Error(fmt::format("'{}' has a figure of {}", of, value));
    return value;
}

std::vector<double> rounds_of(const Json& json, const std::string& name) {
    std::vector<double> rounds;
    for (const Json& round : bounded(json, "rounds", 1'000'000))
        rounds.push_back(number(round, name, kLongestNs, 1e-9));
    if (rounds.empty()) throw Error(fmt::format("'{}' has no rounds", name));
    return rounds;
}

std::vector<std::pair<std::string, double>> counts_of(const Json& json, const std::string& name) {
    std::vector<std::pair<std::string, double>> counts;
    for (const auto& [count, value] : bounded(json, "counts of a split", kMostParts, true).items())
        counts.emplace_back(name_of(count), number(value, name));
    return counts;
}

}  // namespace farcall::bench
