// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace farcall {

/// Bytes that the event graphs of one domain may take together, so that its clients, each within its own
/// limits, do not take all of the host's memory. Any thread.
class GraphBudget {
  public:
    explicit GraphBudget(uint64_t bytes) : bytes_(bytes), left_(static_cast<int64_t>(bytes)) {}
    /// False: not that much is left.
    bool take(uint64_t bytes) {
        const auto n = static_cast<int64_t>(bytes);
        if (left_.fetch_sub(n, std::memory_order_relaxed) >= n) return true;
        give(bytes);
        return false;
    }
    /// Takes it even when it is not there: for what can't be refused any more and is bounded otherwise.
    void force(uint64_t bytes) { left_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed); }
    void give(uint64_t bytes) { left_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed); }
    /// What is left; below 0 when more was forced.
    int64_t left() const { return left_.load(std::memory_order_relaxed); }
    uint64_t used() const { return bytes_ - static_cast<uint64_t>(left()); }

  private:
    const uint64_t bytes_;
    std::atomic<int64_t> left_;
};

}  // namespace farcall
