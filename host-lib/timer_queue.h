// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "host-lib/event_graph.h"

namespace farcall {

class Client;

/// Deadlines of one worker, earliest first. Cancelled ones stay until they are due and are recognised by
/// their stale ref.
class TimerQueue {
  public:
    struct Entry {
        uint64_t deadline;  ///< CLOCK_MONOTONIC ns
        uint32_t client;    ///< ClientId: the client may be gone when the timer is due
        EventGraph::Ref ref;
        bool operator>(const Entry& other) const { return deadline > other.deadline; }
    };

    void add(const Entry& entry) { heap_.push(entry); }
    bool empty() const { return heap_.empty(); }
    uint64_t next() const { return heap_.top().deadline; }
    Entry pop() {
        Entry entry = heap_.top();
        heap_.pop();
        return entry;
    }

  private:
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
};

}  // namespace farcall
