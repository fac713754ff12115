// SPDX-License-Identifier: MIT
#include "bench/html/families.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace farcall::bench::html {
namespace {

constexpr size_t kFewFamilies = 6;  // in one chart, where only their names bring them together

std::vector<std::string_view> words(std::string_view name) {
    std::vector<std::string_view> all;
    for (size_t from = 0; from <= name.size();) {
        const size_t to = std::min(name.find('_', from), name.size());
        all.push_back(name.substr(from, to - from));
        from = to + 1;
    }
    return all;
}

/// Whether `longer` has all words of `shorter`, in their order.
bool has_words(std::string_view longer, std::string_view shorter) {
    const auto wanted = words(shorter);
    auto next = wanted.begin();
    for (const std::string_view word : words(longer))
        if (next != wanted.end() && word == *next) ++next;
    return next == wanted.end();
}

/// The families with numbers of one record, and which of them share a group.
class Grouping {
  public:
    void add(const Series& series, const NumberedName& name) {
        const auto [found, is_new] = index_.emplace(name.family, families_.size());
        if (is_new) {
            group_.push_back(families_.size());
            ratios_.push_back(0);
            families_.push_back({std::string(name.family), {}});
        }
        families_[found->second].members.push_back({&series, name.number});
    }

    void join_by_ratio(std::string_view ratio) {
        constexpr std::string_view kColon = " : ";
        const size_t colon = ratio.find(kColon);
        if (colon == std::string_view::npos) return;
        const auto over = numbered_name(ratio.substr(0, colon));
        const auto under = numbered_name(ratio.substr(colon + kColon.size()));
        if (!over || !under || over->number != under->number) return;
        const auto a = index_.find(over->family), b = index_.find(under->family);
        if (a == index_.end() || b == index_.end()) return;
        ratios_[a->second]++;
        ratios_[b->second]++;
        join(a->second, b->second);
    }

    void join_by_name() {
        for (size_t a = 0; a < families_.size(); a++)
            for (size_t b = 0; b < families_.size(); b++)
                if (group_[a] != group_[b] && size(a) + size(b) <= kFewFamilies &&
                    has_words(families_[a].name, families_[b].name))
                    join(a, b);
    }

    std::vector<Group> groups() {
        std::map<size_t, Group> groups;  // by the first of each
        std::map<size_t, size_t> hubs;
        for (size_t i = 0; i < families_.size(); i++) {
            Group& group = groups[group_[i]];
            group.numbered = true;
            std::ranges::sort(families_[i].members, {}, &Family::Member::number);
            const bool is_hub = group.families.empty() || ratios_[i] > ratios_[hubs[group_[i]]];
            if (is_hub) hubs[group_[i]] = i;
            group.families.insert(is_hub ? group.families.begin() : group.families.end(),
                                  std::move(families_[i]));
        }
        std::vector<Group> all;
        all.reserve(groups.size());
        for (auto& [first, group] : groups)
            all.push_back(std::move(group));
        return all;
    }

  private:
    size_t size(size_t family) const {
        return static_cast<size_t>(std::ranges::count(group_, group_[family]));
    }
    /// The group that came first takes the other in.
    void join(size_t a, size_t b) {
        const auto [first, second] = std::minmax(group_[a], group_[b]);
        std::ranges::replace(group_, size_t{second}, size_t{first});
    }

    std::vector<Family> families_;
    std::vector<size_t> group_;   // of each family: the index of one that stands for all of them
    std::vector<size_t> ratios_;  // of each family: how many it is in
    std::map<std::string, size_t, std::less<>> index_;
};

}  // namespace

std::optional<NumberedName> numbered_name(std::string_view name) {
    const size_t last = name.rfind('_');
    if (last == std::string_view::npos || last == 0) return std::nullopt;
    const std::string_view digits = name.substr(last + 1);
    if (digits.empty() || digits.size() > 9 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return NumberedName{name.substr(0, last), number};
}

std::vector<Group> groups_of(const FullRecord& record) {
    Group single;
    Grouping grouping;
    for (const Series& series : record.series) {
        if (const auto name = numbered_name(series.name))
            grouping.add(series, *name);
        else
            single.families.push_back({series.name, {{&series, 0}}});
    }
    for (const Ratio& ratio : record.ratios)
        grouping.join_by_ratio(ratio.name);
    grouping.join_by_name();
    std::vector<Group> groups = grouping.groups();
    if (!single.families.empty()) groups.insert(groups.begin(), std::move(single));
    return groups;
}

std::string counted_by(const Group& group) {
    if (group.families.size() < 2) return "";
    std::vector<std::string_view> common;
    for (const Family& family : group.families) {
        auto own = words(family.name);
        std::ranges::reverse(own);
        if (&family == &group.families.front()) common = own;
        const auto end = std::ranges::mismatch(common, own).in1;
        common.erase(end, common.end());
    }
    std::string text;
    for (size_t i = std::min<size_t>(common.size(), 2); i-- > 0;)
        text.append(text.empty() ? "" : " ").append(common[i]);
    return text;
}

}  // namespace farcall::bench::html
