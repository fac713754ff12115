// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <farcall/abi.h>

#include "guest-lib/aem/tables.h"

namespace farcall::aem {

/// An event that has happened and whose handler has not been called yet.
struct Node {
    uint32_t next_free;
    uint32_t next;
    uint32_t previous;
    uint32_t descriptor;  ///< its slot
    uint64_t arrival;
    int32_t result;   ///< of the host's event
    uint32_t buffer;  ///< of the pool, or kNone
    uint8_t level;    ///< of the queue that it is in
    bool last;        ///< the registration ends with it
    fc_event event;   ///< of State::raw only
};

/// A list of nodes, linked by slot.
struct NodeList {
    uint32_t head = kNone;
    uint32_t tail = kNone;
    bool empty() const { return head == kNone; }
};

using Nodes = Table<Node>;

/// Behind `after`; kNone: in front.
inline void insert_after(Nodes& nodes, NodeList& list, uint32_t after, uint32_t slot) {
    Node& node = nodes.at(slot);
    node.previous = after;
    uint32_t& forward = after == kNone ? list.head : nodes.at(after).next;
    node.next = forward;
    forward = slot;
    (node.next == kNone ? list.tail : nodes.at(node.next).previous) = slot;
}

inline void append(Nodes& nodes, NodeList& list, uint32_t slot) {
    insert_after(nodes, list, list.tail, slot);
}

inline void unlink(Nodes& nodes, NodeList& list, uint32_t slot) {
    const Node& node = nodes.at(slot);
    (node.previous == kNone ? list.head : nodes.at(node.previous).next) = node.next;
    (node.next == kNone ? list.tail : nodes.at(node.next).previous) = node.previous;
}

/// Events whose handlers may be called: by priority, then by arrival.
class ReadyQueue {
  public:
    static constexpr uint32_t kLevels = 256;

    uint32_t size() const { return size_; }
    /// Of the priorities of all that are in it.
    uint32_t priorities() const { return priorities_; }
    /// Where its arrival says: a place other than the last is only looked for when a priority was changed, or
    /// a descriptor is started again.
    void push(Nodes& nodes, uint32_t slot, uint8_t priority) {
        NodeList& list = levels_[priority];
        uint32_t after = list.tail;
        while (after != kNone && nodes.at(after).arrival > nodes.at(slot).arrival)
            after = nodes.at(after).previous;
        insert_after(nodes, list, after, slot);
        nodes.at(slot).level = priority;
        bits_[priority / 64] |= uint64_t{1} << (priority % 64);
        size_++;
        priorities_ += priority;
    }
    void remove(Nodes& nodes, uint32_t slot) {
        const uint8_t level = nodes.at(slot).level;
        unlink(nodes, levels_[level], slot);
        if (levels_[level].empty()) bits_[level / 64] &= ~(uint64_t{1} << (level % 64));
        size_--;
        priorities_ -= level;
    }
    /// The next, which is taken out, or kNone.
    uint32_t pop(Nodes& nodes) {
        for (int word = kLevels / 64 - 1; word >= 0; word--) {
            if (bits_[word] == 0) continue;
            const uint32_t slot = levels_[word * 64 + 63 - __builtin_clzll(bits_[word])].head;
            remove(nodes, slot);
            return slot;
        }
        return kNone;
    }
    /// The first node of `level`, to walk through what belongs to one descriptor.
    uint32_t first(uint8_t level) const { return levels_[level].head; }

  private:
    NodeList levels_[kLevels];
    uint64_t bits_[kLevels / 64] = {};
    uint32_t size_ = 0;
    uint32_t priorities_ = 0;
};

}  // namespace farcall::aem
