// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace farcall {

/// An amount of something (bytes, handles) that may be in use at a time: of one client, below that of its
/// domain. Any thread.
class Budget {
  public:
    explicit Budget(uint64_t limit, std::shared_ptr<Budget> parent = nullptr)
        : limit_(limit), parent_(std::move(parent)) {}

    /// False, and nothing taken, when this budget or its parent's does not have so much left.
    bool take(uint64_t amount) {
        // No compare-and-swap: two that fail at once may both have been in each other's way, which only makes
        // the limit a little stricter for that moment.
        if (used_.fetch_add(amount, std::memory_order_relaxed) + amount <= limit_) {
            if (parent_ == nullptr || parent_->take(amount)) return true;
        }
        used_.fetch_sub(amount, std::memory_order_relaxed);
        return false;
    }
    void give(uint64_t amount) {
        used_.fetch_sub(amount, std::memory_order_relaxed);
        if (parent_ != nullptr) parent_->give(amount);
    }

    uint64_t used() const { return used_.load(std::memory_order_relaxed); }

  private:
    const uint64_t limit_;
    std::atomic<uint64_t> used_{0};
    std::shared_ptr<Budget> parent_;
};

}  // namespace farcall
