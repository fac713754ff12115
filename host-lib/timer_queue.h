// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "host-lib/event_graph.h"

namespace farcall {

/// Deadlines of one worker, earliest first. Cancelled ones stay, recognised by their stale ref, until they
/// are due or the majority: then they are swept out, so that a client that arms and cancels for ever costs no
/// memory.
class TimerQueue {
  public:
    struct Entry {
        uint64_t deadline;  ///< CLOCK_MONOTONIC ns
        uint32_t client;    ///< ClientId: the client may be gone when the timer is due
        EventGraph::Ref ref;
        bool operator>(const Entry& other) const { return deadline > other.deadline; }
    };

    void add(const Entry& entry) {
        heap_.push_back(entry);
        std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }
    bool empty() const { return heap_.empty(); }
    uint64_t next() const { return heap_.front().deadline; }
    Entry pop() {
        std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
        const Entry entry = heap_.back();
        heap_.pop_back();
        return entry;
    }

    void cancelled() { cancelled_++; }
    bool wasteful() const { return cancelled_ > kMinSweep && cancelled_ > heap_.size() / 2; }
    /// Keeps the entries for which `alive` says true.
    void purge(const std::function<bool(const Entry&)>& alive) {
        std::erase_if(heap_, [&](const Entry& entry) { return !alive(entry); });
        std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
        cancelled_ = 0;
    }

  private:
    static constexpr size_t kMinSweep = 64;

    std::vector<Entry> heap_;
    size_t cancelled_ = 0;
};

}  // namespace farcall
