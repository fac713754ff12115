// SPDX-License-Identifier: MIT
#include "bench/html/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "bench/html/charts.h"
#include "bench/html/style.h"
#include "bench/html/svg.h"
#include "bench/html/tables.h"

namespace farcall::bench {
namespace html {
namespace {

constexpr size_t kCurves = 6;  // of a chart that is not of families: more cannot be told apart
/// At most `most` of them at a time.
template <typename T, typename Use>
void in_parts(const std::vector<T>& all, size_t most, Use use) {
    for (size_t from = 0; from < all.size(); from += most)
        use(std::vector<T>(all.begin() + static_cast<std::ptrdiff_t>(from),
                           all.begin() + static_cast<std::ptrdiff_t>(std::min(from + most, all.size()))));
}

/// By number, then by family.
std::vector<Row> rows_of(const std::vector<Family>& families) {
    std::vector<std::pair<uint64_t, Row>> all;
    for (size_t i = 0; i < families.size(); i++)
        for (const auto& [series, number] : families[i].members)
            all.push_back({number, {series, i}});
    std::ranges::stable_sort(all, {}, [](const auto& row) { return row.first; });
    std::vector<Row> rows;
    rows.reserve(all.size());
    for (const auto& [number, row] : all)
        rows.push_back(row);
    return rows;
}

void boxes(Markup& out, const std::vector<Row>& rows) {
    const Element figure(out, "figure");
    out.leaf("figcaption", {}, "Median; box: half of the samples; whiskers: percentiles 1 to 99");
    box_plots(out, rows);
}

/// A small chart for each number, all with one axis.
void by_number(Markup& out, const std::vector<Row>& rows, const std::string& count) {
    std::map<uint64_t, std::vector<Row>> numbers;
    for (const Row& row : rows)
        numbers[numbered_name(row.series->name)->number].push_back(row);
    const LogScale times = times_of(rows);
    const Element charts(out, "div", {{"class", "multiples"}});
    for (const auto& [number, same] : numbers)
        distribution(out, fmt::format("{}: {}", count.empty() ? "number" : count, number), same, times);
}

/// Some in each chart.
void together(Markup& out, std::vector<Row> rows) {
    // Those of like times share an axis.
    std::ranges::stable_sort(rows, {}, [](const Row& row) { return row.series->p50_ns; });
    const Element charts(out, "div", {{"class", "multiples wide"}});
    in_parts(rows, kCurves, [&](std::vector<Row> some) {
        const Element one(out, "div");
        std::vector<Key> keys;
        for (Row& row : some) {
            row.style = keys.size();
            keys.push_back({row.series->name, row.style});
        }
        distribution(out, fmt::format("{} of {} series", some.size(), rows.size()), some, times_of(some));
        legend(out, keys);
    });
}

void curves(Markup& out, const std::vector<Family>& families, const std::string& count) {
    std::vector<Key> keys;
    keys.reserve(families.size());
    for (const Family& family : families)
        keys.push_back({family.name, keys.size()});
    if (keys.size() > 1) legend(out, keys);
    const bool scales = std::ranges::any_of(families, [](const Family& f) { return f.members.size() > 1; });
    const Element charts(out, "div", {{"class", scales ? "pair" : "alone"}});
    if (scales) scaling(out, families, count);
    boxes(out, rows_of(families));
}

/// Of families with numbers at most kStyles.
void charts(Markup& out, const std::vector<Family>& families, const std::string& count, bool numbered) {
    std::vector<Row> rows = rows_of(families);
    if (numbered) {
        curves(out, families, count);
    } else {
        for (Row& row : rows)
            row.style = 0;
        boxes(out, rows);
    }
    const Element folded(out, "details", {{"open", "open"}});
    out.leaf("summary", {}, "How the samples are distributed: the share that took at most so long");
    if (families.size() > 1 && numbered)
        by_number(out, rows, count);
    else
        together(out, std::move(rows));
}

/// What the contents of a record link to.
struct Part {
    std::string title;
    bool is_name;       // of a family
    std::string after;  // the title, where it stands above the part
    std::function<void(Markup&)> write;
};

Part part_of(const Group& group) {
    const auto write = [&group](Markup& out) {
        in_parts(
            group.families, group.numbered ? kStyles : group.families.size(),
            [&](const std::vector<Family>& some) { charts(out, some, counted_by(group), group.numbered); });
        data(out, group);
    };
    if (!group.numbered) return {"Single figures", false, "", write};
    return {group.families.front().name, true,
            group.families.size() > 1 ? " and what it is compared with" : "", write};
}

std::vector<Part> parts_of(const FullRecord& record, const std::vector<Group>& groups) {
    std::vector<Part> parts;
    if (!record.ratios.empty())
        parts.push_back({"Ratios", false, "", [&](Markup& out) { ratios(out, record); }});
    const auto has_parts = [](const Split& split) { return !split.parts.empty(); };
    if (std::ranges::any_of(record.splits, has_parts))
        parts.push_back(
            {"Where the time goes", false, "", [&](Markup& out) { split_bars(out, record.splits); }});
    if (!std::ranges::all_of(record.splits, has_parts))
        parts.push_back(
            {"What it costs beside time", false, "", [&](Markup& out) { counts(out, record.splits); }});
    for (const Group& group : groups)
        parts.push_back(part_of(group));
    return parts;
}

void title_of(Markup& out, const Part& part) {
    if (part.is_name)
        out.name(part.title);
    else
        out.text(part.title);
}

/// `id`: of the record; its parts' begin with it.
void contents(Markup& out, const std::vector<Part>& parts, const std::string& id) {
    const Element nav(out, "nav", {{"aria-label", "Contents"}});
    for (size_t i = 0; i < parts.size(); i++) {
        const Element link(out, "a", {{"href", fmt::format("#{}-{}", id, i)}});
        title_of(out, parts[i]);
    }
}

void record_section(Markup& out, const FullRecord& record, const std::string& id) {
    const Element section(out, "section", {{"class", "record"}});
    {
        const Element title(out, "h2");
        out.text("bench " + record.bench);
        if (!record.path.empty()) out.leaf("small", {}, " " + record.path);
    }
    remarks(out, record);
    facts(out, record);
    const std::vector<Group> groups = groups_of(record);
    const std::vector<Part> parts = parts_of(record, groups);
    if (parts.size() > 1) contents(out, parts, id);
    for (size_t i = 0; i < parts.size(); i++) {
        const Element whole(out, "section", {{"id", fmt::format("{}-{}", id, i)}});
        {
            const Element title(out, "h3");
            title_of(out, parts[i]);
            out.text(parts[i].after);
        }
        parts[i].write(out);
    }
}

void head(Markup& out, const std::string& title) {
    const Element head(out, "head");
    out.empty("meta", {{"charset", "utf-8"}});
    out.empty("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
    // Nothing is loaded and nothing runs, whatever a record managed to say.
    out.empty("meta", {{"http-equiv", "Content-Security-Policy"},
                       {"content", "default-src 'none'; style-src 'unsafe-inline'"}});
    out.empty("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
    out.leaf("title", {}, title);
    const Element style(out, "style");
    out.verbatim(kStyle);
}

}  // namespace
}  // namespace html

std::string report_page(const std::vector<FullRecord>& records) {
    const std::string title = records.size() == 1 ? "farcall bench " + records.front().bench
                                                  : fmt::format("farcall bench: {} records", records.size());
    html::Markup out;
    out.verbatim("<!DOCTYPE html>\n");
    {
        const html::Element document(out, "html", {{"lang", "en"}});
        html::head(out, title);
        const html::Element body(out, "body");
        const html::Element main(out, "main");
        out.leaf("h1", {}, title);
        out.leaf("p", {{"class", "note"}},
                 "Times are per operation. Typical: the median of the rounds; percentiles are over samples.");
        for (size_t i = 0; i < records.size(); i++)
            html::record_section(out, records[i], fmt::format("record-{}", i));
    }
    return std::move(out).take();
}

}  // namespace farcall::bench
