// SPDX-License-Identifier: MIT
#include "bench/csv.h"

#include <fmt/format.h>

#include "bench/interval.h"

namespace farcall::bench {
namespace {

constexpr std::string_view kEnd = "\r\n";

std::string header() {
    std::string line = "bench,name,in_flight,typical_ns,low_ns,high_ns";
    for (const double percent : kPercents)
        line += percent < 100 ? fmt::format(",p{:g}_ns", percent) : ",max_ns";
    return line + ",ops_per_s,record" + std::string(kEnd);
}

/// low and high are empty below six rounds.
std::string line_of(const FullRecord& record, const Series& series) {
    const Interval typical = median_interval(series.rounds);
    std::string line = fmt::format("{},{},{},{:.10g}", csv_field(record.bench), csv_field(series.name),
                                   series.in_flight, typical.value);
    line += typical.known ? fmt::format(",{:.10g},{:.10g}", typical.low, typical.high) : ",,";
    for (const double ns : series.percentiles_ns)
        line += fmt::format(",{:.10g}", ns);
    return line + fmt::format(",{:.10g},{}", series.ops_per_s, csv_field(record.path)) + std::string(kEnd);
}

}  // namespace

std::string csv_field(std::string_view text) {
    constexpr std::string_view kFormula = "=+-@\t\r\n", kQuoted = ",\"\r\n'";
    std::string field;
    // Some look behind leading spaces.
    const size_t first = text.find_first_not_of(' ');
    if (first != std::string_view::npos && kFormula.find(text[first]) != std::string_view::npos) field = "'";
    field += text;
    if (field.find_first_of(kQuoted) == std::string::npos) return field;
    std::string quoted = "\"";
    for (const char c : field)
        quoted.append(c == '"' ? 2 : 1, c);
    return quoted + '"';
}

std::string csv_of(const std::vector<FullRecord>& records) {
    std::string text = header();
    for (const FullRecord& record : records)
        for (const Series& series : record.series)
            text += line_of(record, series);
    return text;
}

}  // namespace farcall::bench
