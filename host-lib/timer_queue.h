// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "host-lib/event_graph.h"

namespace farcall {

/// What one worker has to do at a certain time, earliest first: a hierarchical timing wheel, so that an entry
/// costs the same whether it is one of ten or of a million. Entries come out at their nanosecond, not at that
/// of a tick: those of the tick that has begun are kept in a heap. Who puts an entry in takes it out when it
/// is no longer wanted; a command has at most one of each kind, so a client can't fill the queue beyond its
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
        uint64_t when = 0;    ///< CLOCK_MONOTONIC ns
        uint32_t client = 0;  ///< ClientId
        Kind kind = Kind::kTimer;
        EventGraph::Ref ref{};
    };
    /// Names an entry until it comes out or is removed; then it may name another.
    using Handle = uint32_t;

    Handle add(const Entry& entry);
    /// An entry that has not come out.
    void remove(Handle handle);
    /// Takes out the earliest entry if it is due. False: none is.
    bool pop_due(uint64_t now, Entry* out);
    /// No entry is due before; it may be too early by one that was removed. UINT64_MAX: there is none.
    uint64_t next() const;
    bool empty() const { return size_ == 0; }
    size_t size() const { return size_; }

  private:
    static constexpr unsigned kTickBits = 10;  ///< a tick is 1.024 us
    static constexpr unsigned kSlotBits = 6;
    static constexpr unsigned kSlots = 1u << kSlotBits;
    static constexpr unsigned kLevels = 9;  ///< all 54 bits of a tick
    static constexpr uint32_t kNone = UINT32_MAX;

    /// Where a node is.
    static constexpr uint16_t kFree = UINT16_MAX, kHeap = kFree - 1, kDropped = kFree - 2;
    struct Node {
        Entry entry;
        uint32_t previous = kNone;
        uint32_t next = kNone;   ///< also of the free nodes
        uint16_t place = kFree;  ///< level * kSlots + slot; kHeap; kDropped: removed, and still in the heap
    };
    struct Slot {
        uint32_t first = kNone;
        uint64_t earliest = UINT64_MAX;  ///< ns; of all that were in it since it was last empty
    };

    void place(uint32_t index);
    void unlink(uint32_t index);
    /// The order of the heap: what is due first on top.
    auto later() const {
        return [this](uint32_t a, uint32_t b) { return nodes_[a].entry.when > nodes_[b].entry.when; };
    }
    void push_heap(uint32_t index);
    uint32_t pop_heap();
    void free(uint32_t index);
    void drop_removed();
    /// The slot that comes first, and the tick at which it begins. False: all are empty.
    bool first_slot(unsigned* place, uint64_t* begins) const;
    void spread(unsigned place, uint64_t begins);

    std::deque<Node> nodes_;
    uint32_t free_ = kNone;
    std::array<Slot, kLevels * kSlots> slots_;
    std::array<uint64_t, kLevels> occupied_{};  ///< a bit for each slot
    std::vector<uint32_t> heap_;                ///< entries of ticks that have begun, the earliest on top
    uint64_t tick_ = 0;                         ///< that has begun: all in the wheel comes later
    size_t size_ = 0;
};

}  // namespace farcall
