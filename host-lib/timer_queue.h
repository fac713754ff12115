// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstdint>
#include <set>

#include "host-lib/event_graph.h"

namespace farcall {

/// What one worker has to do at a certain time, earliest first. Who put an entry in takes it out when it is
/// no longer wanted; a command has at most one of each kind, so a client can't fill the queue beyond its
/// commands.
class TimerQueue {
  public:
    enum class Kind : uint8_t {
        kTimer,     ///< a one-shot FC_OP_TIMER is due
        kWaiter,    ///< Waiter::on_timer() of a suspended command
        kDeadline,  ///< a command's deadline
        kDetached,  ///< the client is gone and its detached commands have had their time; no ref
    };
    struct Entry {
        uint64_t when;    ///< CLOCK_MONOTONIC ns
        uint32_t client;  ///< ClientId
        Kind kind;
        EventGraph::Ref ref{};
        auto operator<=>(const Entry&) const = default;  // NOLINT(modernize-use-nullptr)
    };

    void add(const Entry& entry) { entries_.insert(entry); }
    void remove(const Entry& entry) { entries_.erase(entry); }
    bool empty() const { return entries_.empty(); }
    uint64_t next() const { return entries_.begin()->when; }
    Entry pop() { return entries_.extract(entries_.begin()).value(); }
    size_t size() const { return entries_.size(); }

  private:
    std::set<Entry> entries_;
};

}  // namespace farcall
