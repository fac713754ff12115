// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>

namespace farcall {

/// Deadlines of chains (FC_F_CHAIN_DEADLINE) whose commands are over while the deadline is still to come: who
/// waits for one of them now still inherits it. Times are CLOCK_MONOTONIC ns.
class ChainDeadlines {
  public:
    static constexpr size_t kMax = 4096;  ///< from then on no more commands with such a deadline are taken
    static constexpr size_t kEntryBytes = 160;  ///< about, for the domain's budget

    bool empty() const { return at_.empty(); }
    size_t size() const { return at_.size(); }
    void put(uint64_t number, uint64_t when) {
        at_[number] = when;
        order_.emplace(when, number);
    }
    /// The deadline that waiting for this event brings; 0: none.
    uint64_t get(uint64_t number) const {
        const auto found = at_.find(number);
        return found == at_.end() ? 0 : found->second;
    }
    /// Forgets those that have passed; returns how many.
    size_t forget_before(uint64_t now) {
        size_t count = 0;
        for (; !order_.empty() && order_.begin()->first <= now; count++) {
            at_.erase(order_.begin()->second);
            order_.erase(order_.begin());
        }
        return count;
    }

  private:
    std::unordered_map<uint64_t, uint64_t> at_;
    std::multimap<uint64_t, uint64_t> order_;
};

}  // namespace farcall
