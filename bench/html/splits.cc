// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "bench/html/charts.h"
#include "bench/html/svg.h"

namespace farcall::bench::html {
namespace {

/// A bar that is longer than others by more makes them invisible.
constexpr double kComparable = 10;
/// Per cent of the width that a part's number needs on a phone.
constexpr double kRoomForNumber = 7;

double total(const Split& split) {
    double sum = 0;
    for (const Split::Part& part : split.parts)
        sum += part.p50_ns;
    return sum;
}

/// The same part has the same colour in all bars.
class Colours {
  public:
    size_t of(const std::string& part) { return styles_.emplace(part, styles_.size()).first->second; }

  private:
    std::map<std::string, size_t> styles_;
};

void bar(Markup& out, const Split& split, double whole, Colours& colours) {
    const Element stack(out, "svg", {{"class", "stack"}, {"role", "img"}});
    out.leaf("title", {}, "Where the time of " + split.name + " goes");
    std::string words;
    for (const Split::Part& part : split.parts)
        words += fmt::format("{}: {}. ", part.name, time_text(part.p50_ns));
    out.leaf("desc", {}, words);
    double from = 0;
    for (size_t i = 0; i < split.parts.size(); i++) {
        const double to = whole > 0 ? from + 100 * split.parts[i].p50_ns / whole : from;
        const Element colour(out, "g", {{"class", style_class(colours.of(split.parts[i].name))}});
        rectangle(out, "part", from, to, "0", "100%");
        if (to - from >= kRoomForNumber)
            out.leaf("text", {{"x", percent((from + to) / 2)}, {"y", "50%"}, {"dy", "0.35em"}},
                     std::to_string(i + 1));
        from = to;
    }
}

void parts(Markup& out, const Split& split, Colours& colours) {
    const double sum = total(split);
    const Element list(out, "ol", {{"class", "parts"}});
    for (const Split::Part& part : split.parts) {
        const Element item(out, "li");
        {
            const Element sample(out, "svg", {{"class", "swatch"}, {"aria-hidden", "true"}});
            const Element colour(out, "g", {{"class", style_class(colours.of(part.name))}});
            rectangle(out, "part", 0, 100, "0", "100%");
        }
        out.text(fmt::format("{}: {}", part.name, time_text(part.p50_ns)));
        if (sum > 0) out.text(fmt::format(", {:.0f} %", 100 * part.p50_ns / sum));
    }
}

void counts(Markup& out, const Split& split) {
    if (split.per_operation.empty()) return;
    const Element list(out, "ul", {{"class", "counts"}});
    for (const auto& [name, count] : split.per_operation) {
        const Element item(out, "li");
        out.leaf("strong", {}, significant(count));
        out.text(" " + name + " per operation");
    }
}

}  // namespace

void split_bars(Markup& out, const std::vector<Split>& all) {
    std::vector<Split> splits;
    std::ranges::copy_if(all, std::back_inserter(splits),
                         [](const Split& split) { return !split.parts.empty(); });
    double longest = 0, shortest = 1e300;
    for (const Split& split : splits) {
        longest = std::max(longest, total(split));
        shortest = std::min(shortest, total(split));
    }
    const bool same_scale = longest <= kComparable * shortest;
    out.leaf("p", {{"class", "note"}},
             same_scale ? "All bars have the same scale; the parts are medians, one after the other."
                        : "Each bar has a scale of its own, as one would be invisible beside another; the "
                          "parts are medians, one after the other.");
    Colours colours;
    for (const Split& split : splits) {
        const Element whole(out, "div", {{"class", "split"}});
        {
            const Element title(out, "h4");
            out.name(split.name);
            out.text(" " + time_text(total(split)));
        }
        bar(out, split, same_scale ? longest : total(split), colours);
        const Element beside(out, "div", {{"class", "beside"}});
        parts(out, split, colours);
        counts(out, split);
    }
}

}  // namespace farcall::bench::html
