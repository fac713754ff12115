// SPDX-License-Identifier: MIT
#include "host-lib/timer_queue.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

namespace farcall {

TimerQueue::Handle TimerQueue::add(const Entry& entry) {
    uint32_t index = free_;
    if (index == kNone) {
        index = static_cast<uint32_t>(nodes_.size());
        nodes_.emplace_back();
    } else {
        free_ = nodes_[index].next;
    }
    nodes_[index].entry = entry;
    place(index);
    size_++;
    return index;
}

void TimerQueue::remove(Handle handle) {
    Node& node = nodes_[handle];
    assert(node.place != kFree && node.place != kDropped);
    size_--;
    if (node.place == kHeap) {
        node.place = kDropped;
        return drop_removed();
    }
    unlink(handle);
    free(handle);
}

// The level is that of the highest digit in which the entry's tick differs from the one that has begun: below
// it, ticks have all their digits in common with the slot, so that a slot comes before all of the levels
// above.
void TimerQueue::place(uint32_t index) {
    Node& node = nodes_[index];
    const uint64_t tick = node.entry.when >> kTickBits;
    if (tick <= tick_) return push_heap(index);
    const auto level = static_cast<unsigned>(std::bit_width(tick ^ tick_) - 1) / kSlotBits;
    const auto slot = static_cast<unsigned>(tick >> (level * kSlotBits)) % kSlots;
    node.place = static_cast<uint16_t>(level * kSlots + slot);
    Slot& list = slots_[node.place];
    node.previous = kNone;
    node.next = list.first;
    if (list.first != kNone) nodes_[list.first].previous = index;
    list.first = index;
    list.earliest = std::min(list.earliest, node.entry.when);
    occupied_[level] |= 1ull << slot;
}

void TimerQueue::unlink(uint32_t index) {
    const Node& node = nodes_[index];
    Slot& list = slots_[node.place];
    if (node.next != kNone) nodes_[node.next].previous = node.previous;
    if (node.previous != kNone) {
        nodes_[node.previous].next = node.next;
        return;
    }
    list.first = node.next;
    if (list.first != kNone) return;
    list.earliest = UINT64_MAX;
    occupied_[node.place / kSlots] &= ~(1ull << node.place % kSlots);
}

void TimerQueue::push_heap(uint32_t index) {
    nodes_[index].place = kHeap;
    heap_.push_back(index);
    std::push_heap(heap_.begin(), heap_.end(), later());
}

uint32_t TimerQueue::pop_heap() {
    std::pop_heap(heap_.begin(), heap_.end(), later());
    const uint32_t index = heap_.back();
    heap_.pop_back();
    return index;
}

void TimerQueue::free(uint32_t index) {
    nodes_[index].place = kFree;
    nodes_[index].next = std::exchange(free_, index);
}

// The top of the heap is an entry that is wanted.
void TimerQueue::drop_removed() {
    while (!heap_.empty() && nodes_[heap_.front()].place == kDropped)
        free(pop_heap());
}

bool TimerQueue::first_slot(unsigned* place, uint64_t* begins) const {
    for (unsigned level = 0; level < kLevels; level++) {
        if (occupied_[level] == 0) continue;
        const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
        const unsigned low = level * kSlotBits, high = low + kSlotBits;
        *place = level * kSlots + slot;
        *begins = (tick_ >> high << high) | uint64_t{slot} << low;
        return true;
    }
    return false;
}

// A slot has begun: its entries go where they belong from now on, each at least one level down.
void TimerQueue::spread(unsigned place_of, uint64_t begins) {
    tick_ = begins;
    Slot& list = slots_[place_of];
    occupied_[place_of / kSlots] &= ~(1ull << place_of % kSlots);
    list.earliest = UINT64_MAX;
    for (uint32_t index = std::exchange(list.first, kNone); index != kNone;) {
        const uint32_t next = nodes_[index].next;
        place(index);
        index = next;
    }
}

bool TimerQueue::pop_due(uint64_t now, Entry* out) {
    unsigned place_of;
    uint64_t begins;
    while (first_slot(&place_of, &begins) && begins <= now >> kTickBits)
        spread(place_of, begins);
    tick_ = std::max(tick_, now >> kTickBits);
    if (heap_.empty() || nodes_[heap_.front()].entry.when > now) return false;
    const uint32_t index = pop_heap();
    *out = nodes_[index].entry;
    free(index);
    size_--;
    drop_removed();
    return true;
}

uint64_t TimerQueue::next() const {
    if (!heap_.empty()) return nodes_[heap_.front()].entry.when;
    unsigned place_of;
    uint64_t begins;
    return first_slot(&place_of, &begins) ? slots_[place_of].earliest : UINT64_MAX;
}

}  // namespace farcall
