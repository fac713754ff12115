// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

namespace farcall {

/// CLOCK_MONOTONIC in ns.
uint64_t monotonic_ns();

/// A token bucket: so many per second, and so many at once after a pause. Used by one thread.
class RateLimit {
  public:
    /// per_second 0: no limit. burst 0: what comes in 10 ms, at least one.
    RateLimit(uint64_t per_second, uint64_t burst)
        : per_second_(std::min(per_second, kMost)),
          burst_(std::clamp(burst != 0 ? burst : per_second_ / 100, uint64_t{1}, kMost)),
          tokens_(burst_) {}

    bool limited() const { return per_second_ != 0; }
    /// Tokens that are there at `now`, at most `wanted`.
    uint32_t available(uint32_t wanted, uint64_t now) {
        if (last_ == 0) last_ = now;
        const uint64_t elapsed = std::min(now - last_, kLongest);
        const uint64_t fresh = elapsed * per_second_ / kSecond;
        if (fresh != 0) {
            tokens_ = std::min(tokens_ + fresh, burst_);
            // The fraction of a token stays in the clock, unless the bucket is full or was idle for very
            // long.
            last_ = elapsed == kLongest || tokens_ == burst_ ? now : last_ + fresh * kSecond / per_second_;
        }
        return static_cast<uint32_t>(std::min<uint64_t>(tokens_, wanted));
    }
    void take(uint32_t count) { tokens_ -= std::min<uint64_t>(tokens_, count); }

  private:
    static constexpr uint64_t kSecond = 1000000000;
    static constexpr uint64_t kLongest = 10 * kSecond;
    static constexpr uint64_t kMost = 1000000000;  ///< keeps the products below 64 bits

    uint64_t per_second_;
    uint64_t burst_;
    uint64_t tokens_;
    uint64_t last_ = 0;
};

}  // namespace farcall
