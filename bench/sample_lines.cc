// SPDX-License-Identifier: MIT
#include "bench/sample_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "bench/json_checks.h"
#include "bench/json_text.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostLines = 100'000;
constexpr size_t kMostBytes = size_t{1} << 20;  // of a line
constexpr size_t kMostSamples = 50'000;         // of a line

class Lines {
  public:
    explicit Lines(Report& report) : report_(report) {}

    /// True: that was the last one.
    bool take(const Json& line) {
        if (line.contains("series"))
            series(line);
        else if (line.contains("ratio"))
            ratio(line);
        else if (line.contains("value"))
            value(line);
        else if (line.contains("counts"))
            counts(line);
        else if (line.contains("skipped"))
            results().skip(name_of(line.at("skipped")), text_of(line.at("reason"), "reason"));
        else if (line.contains("fact"))
            add(report_.facts, {name_of(line.at("fact")), fact_of(line.at("is"))}, 50);
        else if (line.contains("warning"))
            add(report_.warnings, text_of(line.at("warning"), "warning"), kMostItems);
        else
            return line.at("end").get<bool>();
        return false;
    }

    void finish() {
        if (results().series().empty()) throw Error("no series");
        for (const Series& one : results().series())
            report_.rounds = std::max(report_.rounds, static_cast<uint32_t>(one.rounds.size()));
        if (beyond_ > 0)
            report_.warnings.push_back(
                fmt::format("{} samples were longer than can be counted, and count as 4.29 s.", beyond_));
    }

  private:
    Results& results() { return report_.results; }

    template <typename T>
    static void add(std::vector<T>& to, T what, size_t most) {
        if (to.size() >= most) throw Error("too many of its kind");
        to.push_back(std::move(what));
    }

    /// At least a tick: nothing takes no time.
    uint32_t sample(double ns) {
        constexpr double kMost = std::numeric_limits<uint32_t>::max();
        if (ns > kMost) beyond_++;
        return static_cast<uint32_t>(std::clamp(std::round(ns), 1.0, kMost));
    }

    void series(const Json& line) {
        const std::string name = name_of(line.at("series"));
        std::vector<uint32_t> samples;
        for (const Json& ns : bounded(line.at("ns"), "samples", kMostSamples))
            samples.push_back(sample(number(ns, name)));
        if (samples.empty()) throw Error(fmt::format("'{}' has a round without samples", name));
        if (results().find(name) == nullptr && results().series().size() >= kMostItems)
            throw Error("too many series");
        results().add(name, std::move(samples));
    }

    void ratio(const Json& line) {
        const Json& pair = bounded(line.at("ratio"), "series of a ratio", 2);
        const std::string over = name_of(pair.at(0)), under = name_of(pair.at(1));
        for (const std::string& name : {over, under})
            if (results().find(name) == nullptr)
                throw Error(fmt::format("a ratio of '{}', of which nothing was measured", name));
        refuse_more_ratios();
        results().add_ratio(over, under, expectation(line));
    }

    void value(const Json& line) {
        const std::string name = name_of(line.at("value"));
        refuse_more_ratios();
        std::vector<double> rounds = rounds_of(line.at("rounds"), name);
        results().add_ratio_rounds(name, std::move(rounds), expectation(line));
    }

    void counts(const Json& line) {
        Split split{.name = name_of(line.at("counts")), .parts = {}, .per_operation = {}};
        split.per_operation = counts_of(line.at("per_operation"), split.name);
        if (split.per_operation.empty() || results().splits().size() >= kMostItems)
            throw Error(fmt::format("'{}' has no counts, or is one too many", split.name));
        results().add_split(std::move(split));
    }

    static std::string expectation(const Json& line) {
        return text_of(line.value("expected", Json("")), "expectation");
    }

    void refuse_more_ratios() {
        if (results().ratios().size() >= kMostItems) throw Error("too many ratios");
    }

    Report& report_;
    size_t beyond_ = 0;
};

}  // namespace

void add_sample_lines(std::istream& in, Report& report) {
    Lines lines(report);
    std::string text;
    bool ended = false;
    for (size_t at = 1; !ended && std::getline(in, text); at++) {
        if (at > kMostLines || text.size() > kMostBytes)
            throw Error(fmt::format("line {} of the script's figures is too long, or too many", at));
        try {
            ended = lines.take(parse_json(text));
        } catch (const Json::exception& error) {
            throw Error(fmt::format("line {} of the script's figures: {}", at, error.what()));
        } catch (const Error& error) {
            throw Error(fmt::format("line {} of the script's figures: {}", at, error.what()));
        }
    }
    if (!ended) throw Error("the script's figures are not complete");
    lines.finish();
}

}  // namespace farcall::bench
