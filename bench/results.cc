// SPDX-License-Identifier: MIT
#include "bench/results.h"

#include <algorithm>
#include <cstddef>

#include "bench/stats.h"

namespace farcall::bench {
namespace {

constexpr size_t kRun = 32;

}  // namespace

double typical_ticks(const std::vector<uint32_t>& samples) {
    std::vector<double> values;
    const size_t run = samples.size() < 10 * kRun ? 1 : kRun;
    for (auto at = samples.begin(); samples.end() - at >= static_cast<std::ptrdiff_t>(run);
         at += static_cast<std::ptrdiff_t>(run))
        values.push_back(mean({at, at + static_cast<std::ptrdiff_t>(run)}));
    return median(std::move(values));
}

const Series* Results::find(std::string_view name) const {
    const auto found =
        std::find_if(series_.begin(), series_.end(), [&](const Series& s) { return s.name == name; });
    return found == series_.end() ? nullptr : &*found;
}

void Results::add(std::string_view name, std::vector<uint32_t> samples, uint32_t chunk, uint32_t in_flight) {
    auto* series = const_cast<Series*>(find(name));
    if (series == nullptr) {
        series = &series_.emplace_back();
        series->name = name;
        series->chunk = chunk;
        series->in_flight = in_flight;
    }
    series->rounds.push_back(typical_ticks(samples) / ticks_per_ns_ / chunk);
    series->samples.insert(series->samples.end(), samples.begin(), samples.end());
}

void Results::skip(std::string_view name, std::string_view reason) {
    const bool known =
        std::any_of(skipped_.begin(), skipped_.end(), [&](const Skipped& s) { return s.name == name; });
    if (!known) skipped_.push_back({std::string(name), std::string(reason)});
}

void Results::add_ratio(std::string_view over, std::string_view under, std::string_view aim) {
    const Series* a = find(over);
    const Series* b = find(under);
    if (a == nullptr || b == nullptr) return;
    std::vector<double> values;
    for (size_t i = 0; i < std::min(a->rounds.size(), b->rounds.size()); i++)
        values.push_back(a->rounds[i] / b->rounds[i]);
    add_ratio_rounds(std::string(over) + " : " + std::string(under), std::move(values), aim);
}

void Results::add_ratio_rounds(std::string_view name, std::vector<double> rounds, std::string_view aim) {
    const double value = median(rounds);
    ratios_.push_back({std::string(name), value, std::move(rounds), std::string(aim)});
}

void Results::finish() {
    for (Series& series : series_) {
        const double scale = 1 / ticks_per_ns_ / series.chunk;
        series.p50_ns = percentile(series.samples, 50) * scale;
        series.p99_ns = percentile(series.samples, 99) * scale;
        for (size_t i = 0; i < kPercents.size(); i++)
            series.percentiles_ns[i] = percentile(series.samples, kPercents[i]) * scale;
        std::vector<uint32_t> sorted = series.samples;
        std::sort(sorted.begin(), sorted.end());
        for (size_t i = 0; i < kQuantiles && !sorted.empty(); i++)
            series.quantiles_ns[i] = sorted[(sorted.size() - 1) * i / (kQuantiles - 1)] * scale;
        series.ops_per_s = 1e9 / series.p50_ns;
        series.ops_per_s_mean = 1e9 / (mean(series.samples) * scale);
    }
}

}  // namespace farcall::bench
