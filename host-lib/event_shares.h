// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>

namespace farcall {

/// Which of a client's event IDs other clients may wait for: ranges of numbers, per client or for all.
class EventShares {
  public:
    static constexpr size_t kMaxRanges = 1024;
    static constexpr uint32_t kAll = 0;  ///< as a client: every one of the domain

    /// Shares [first, end), merged with what touches it. False: too many ranges, nothing changed.
    bool add(uint32_t client, uint64_t first, uint64_t end) {
        std::map<uint64_t, uint64_t>& ranges = clients_[client];
        auto from = ranges.upper_bound(first);
        if (from != ranges.begin() && std::prev(from)->second >= first) --from;
        auto to = from;
        for (; to != ranges.end() && to->first <= end; ++to, count_--) {
            first = std::min(first, to->first);
            end = std::max(end, to->second);
        }
        const bool merged = from != to;
        ranges.erase(from, to);
        if (!merged && count_ >= kMaxRanges) {
            if (ranges.empty()) clients_.erase(client);
            return false;
        }
        ranges[first] = end;
        count_++;
        return true;
    }
    bool allows(uint32_t client, uint64_t number) const { return has(client, number) || has(kAll, number); }
    bool full() const { return count_ >= kMaxRanges; }
    /// Forgets clients that are gone.
    void prune(const std::function<bool(uint32_t client)>& gone) {
        std::erase_if(clients_, [&](const auto& entry) {
            if (entry.first == kAll || !gone(entry.first)) return false;
            count_ -= entry.second.size();
            return true;
        });
    }

  private:
    bool has(uint32_t client, uint64_t number) const {
        const auto found = clients_.find(client);
        if (found == clients_.end()) return false;
        const auto after = found->second.upper_bound(number);
        return after != found->second.begin() && number < std::prev(after)->second;
    }

    std::map<uint32_t, std::map<uint64_t, uint64_t>> clients_;  ///< ranges: first number, end
    size_t count_ = 0;
};

}  // namespace farcall
