// SPDX-License-Identifier: MIT
#include "bench/html/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <string>

#include "bench/html/charts.h"

namespace farcall::bench::html {
namespace {

/// Facts whose names say little, or not how they are written.
constexpr std::array<std::array<std::string_view, 2>, 5> kFactNames{{{"cpu", "processor"},
                                                                     {"kvm", "KVM"},
                                                                     {"tsc_mhz", "time-stamp counter, MHz"},
                                                                     {"seconds", "seconds of measuring"},
                                                                     {"io", "I/O"}}};

std::string fact_name(std::string name) {
    for (const auto& [own, shown] : kFactNames)
        if (name == own) return std::string(shown);
    std::ranges::replace(name, '_', ' ');
    return name;
}

/// Numbers with a fraction are rounded.
std::string fact_value(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = error == std::errc{} && end == text.data() + text.size();
    return is_number && value >= 0 && text.find('.') != std::string::npos ? significant(value) : text;
}

std::string between(const Interval& interval, std::string (*text)(double)) {
    return interval.known ? text(interval.low) + " – " + text(interval.high) : "too few rounds";
}

LogScale scale_of(const std::vector<Ratio>& ratios) {
    double low = 1, high = 1;
    for (const Ratio& ratio : ratios) {
        const Interval interval = median_interval(ratio.rounds);
        for (const double value : {ratio.value, interval.low, interval.high})
            if (value > 0) low = std::min(low, value), high = std::max(high, value);
    }
    return {low, high, Unit::kPlain};
}

/// As in print.
std::string typeset(std::string text) {
    for (const auto& [typed, printed] : {std::pair{"<=", "≤"}, std::pair{">=", "≥"}})
        for (size_t at = 0; (at = text.find(typed, at)) != std::string::npos;)
            text.replace(at, 2, printed);
    return text;
}

/// A cell, with a word before it where there is no room for a heading.
void cell(Markup& out, std::string_view kind, std::string_view key, std::string_view text) {
    const Element cell(out, "span", {{"class", kind}, {"role", "cell"}});
    if (!key.empty() && !text.empty()) out.leaf("span", {{"class", "key"}}, key);
    out.text(text);
}

void ratio_row(Markup& out, const Ratio& ratio, const LogScale& scale) {
    Interval interval = median_interval(ratio.rounds);
    interval.value = ratio.value;
    const Element row(out, "div", {{"class", "row"}, {"role", "row"}});
    {
        const Element name(out, "span", {{"class", "name"}, {"role", "cell"}});
        const size_t colon = std::min(ratio.name.find(" : "), ratio.name.size());
        out.name(ratio.name.substr(0, colon));
        if (colon < ratio.name.size()) {
            out.text(" : ");
            out.name(ratio.name.substr(colon + 3));
        }
    }
    const std::string sure = ratio.rounds.empty() ? "–" : between(interval, significant);
    cell(out, "value", "", significant(ratio.value));
    cell(out, "sure", "95 %: ", sure);
    cell(out, "expected", "expected: ", typeset(ratio.aim));
    const Element plot(out, "span", {{"class", "plot"}, {"role", "cell"}});
    interval_strip(out, fmt::format("{}: {}, 95 %: {}", ratio.name, significant(ratio.value), sure), interval,
                   scale);
}

void ratio_table(Markup& out, const std::vector<Ratio>& ratios, const LogScale& scale) {
    const Element table(out, "div", {{"class", "rows ratios"}, {"role", "table"}});
    {
        const Element head(out, "div", {{"class", "row head"}, {"role", "row"}});
        for (const char* title :
             {"time of the first : of the second", "ratio", "95 %", "expected", "alike at 1"})
            out.leaf("span", {{"role", "columnheader"}}, title);
    }
    for (const Ratio& ratio : ratios)
        ratio_row(out, ratio, scale);
    strip_axis(out, "Axis: ratio, logarithmic", scale);
}

/// A table that is wider than a phone: it scrolls, by keys too. `body` writes its rows.
void wide_table(Markup& out, const char* label, const std::vector<std::string>& heads,
                const std::function<void()>& body) {
    const Element scrolls(
        out, "div", {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", label}});
    const Element table(out, "table");
    {
        const Element head(out, "thead");
        const Element row(out, "tr");
        for (const std::string& title : heads)
            out.leaf("th", {{"scope", "col"}}, title);
    }
    const Element rows(out, "tbody");
    body();
}

void row_head(Markup& out, const std::string& name) {
    const Element head(out, "th", {{"scope", "row"}});
    out.leaf("code", {}, name);
}

std::vector<std::string> counted(const Split& split) {
    std::vector<std::string> names{"per operation"};
    for (const auto& [name, count] : split.per_operation)
        names.push_back(name);
    return names;
}

void data_row(Markup& out, const Series& series) {
    const Interval typical = median_interval(series.rounds);
    const Element row(out, "tr");
    row_head(out, series.name);
    const auto number = [&](const std::string& text) { out.leaf("td", {}, text); };
    number(std::to_string(series.in_flight));
    number(time_text(typical.value));
    number(between(typical, time_text));
    for (const double ns : series.percentiles_ns)
        number(time_text(ns));
    number(rate_text(series.ops_per_s));
}

}  // namespace

void remarks(Markup& out, const FullRecord& record) {
    if (!record.warnings.empty()) {
        const Element box(out, "div", {{"class", "warnings"}, {"role", "note"}});
        out.leaf("h3", {}, record.warnings.size() == 1 ? "Warning" : "Warnings");
        const Element list(out, "ul");
        for (const std::string& warning : record.warnings)
            out.leaf("li", {}, warning);
    }
    if (!record.skipped.empty()) {
        const Element box(out, "div", {{"class", "skipped"}, {"role", "note"}});
        out.leaf("h3", {}, "Not measured");
        const Element list(out, "ul");
        for (const Skipped& skipped : record.skipped) {
            const Element item(out, "li");
            out.name(skipped.name);
            out.text(": " + skipped.reason);
        }
    }
}

void facts(Markup& out, const FullRecord& record) {
    const Element list(out, "dl", {{"class", "facts"}});
    const auto fact = [&](const std::string& name, const std::string& value) {
        const Element pair(out, "div");
        out.leaf("dt", {}, name);
        const Element shown(out, "dd");
        out.breakable(value.empty() ? "–" : value);
    };
    for (const auto& [name, value] : record.machine)
        fact(fact_name(name), fact_value(value));
    fact("farcall", record.version);
}

void ratios(Markup& out, const FullRecord& record) {
    std::vector<Ratio> all = record.ratios;
    const LogScale scale = scale_of(all);
    // Not the one of std::ranges, whose result clang 14 cannot read.
    const auto others =
        std::stable_partition(all.begin(), all.end(), [](const Ratio& ratio) { return !ratio.aim.empty(); });
    const std::vector<Ratio> rest(others, all.end());
    all.erase(others, all.end());
    out.leaf(
        "p", {{"class", "note"}},
        "Both sides were measured in turns in one run: the median of their ratio in each round, and between "
        "what its true value lies with 95 % confidence.");
    if (!all.empty()) ratio_table(out, all, scale);
    if (rest.empty()) return;
    const Element folded(out, "details");
    out.leaf("summary", {}, fmt::format("{} ratios of which nothing was expected", rest.size()));
    ratio_table(out, rest, scale);
}

void data(Markup& out, const Group& group) {
    const Element folded(out, "details");
    out.leaf("summary", {}, "The same as a table");
    std::vector<std::string> heads{"series", "in flight", "typical", "95 %"};
    for (const double percent : kPercents)
        heads.push_back(percent < 100 ? fmt::format("p{:g}", percent) : "max");
    heads.emplace_back("operations");
    wide_table(out, "Figures", heads, [&] {
        for (const Family& family : group.families)
            for (const auto& [series, number] : family.members)
                data_row(out, *series);
    });
}

void counts(Markup& out, const std::vector<Split>& splits) {
    std::map<std::vector<std::string>, std::vector<const Split*>> tables;
    for (const Split& split : splits)
        if (split.parts.empty()) tables[counted(split)].push_back(&split);
    for (const auto& [heads, members] : tables)
        wide_table(out, "Counts", heads, [&out, &members = members] {
            for (const Split* split : members) {
                const Element row(out, "tr");
                row_head(out, split->name);
                for (const auto& [name, count] : split->per_operation)
                    out.leaf("td", {}, significant(count));
            }
        });
}

}  // namespace farcall::bench::html
