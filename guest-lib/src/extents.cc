// SPDX-License-Identifier: MIT
#include "guest-lib/src/extents.h"

#include <cstdlib>
#include <cstring>

namespace farcall::client {

Extents::~Extents() {
    std::free(blocks_);
}

bool Extents::insert(size_t at, Block block) {
    if (count_ == capacity_) {
        const size_t capacity = capacity_ == 0 ? 64 : capacity_ * 2;
        void* grown = std::realloc(blocks_, capacity * sizeof(Block));
        if (grown == nullptr) return false;
        blocks_ = static_cast<Block*>(grown);
        capacity_ = capacity;
    }
    std::memmove(&blocks_[at + 1], &blocks_[at], (count_ - at) * sizeof(Block));
    blocks_[at] = block;
    count_++;
    return true;
}

uint64_t Extents::allocate(uint64_t bytes, uint64_t align) {
    if (bytes == 0 || bytes > size_ || align == 0 || (align & (align - 1)) != 0 || align > size_)
        return kNone;
    uint64_t end = first_gap_ == 0 ? 0 : blocks_[first_gap_ - 1].offset + blocks_[first_gap_ - 1].bytes;
    for (size_t at = first_gap_; at <= count_; at++) {
        const uint64_t limit = at < count_ ? blocks_[at].offset : size_;
        const uint64_t start = (end + align - 1) & ~(align - 1);
        if (start <= limit && limit - start >= bytes) {
            if (!insert(at, {start, bytes})) return kNone;
            // Only a block that leaves no gap before it moves the hint, so that alignment gaps stay usable.
            if (at == first_gap_ && start == end) first_gap_ = at + 1;
            return start;
        }
        if (at < count_) end = blocks_[at].offset + blocks_[at].bytes;
    }
    return kNone;
}

bool Extents::free(uint64_t offset) {
    size_t low = 0;
    size_t high = count_;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (blocks_[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count_ || blocks_[low].offset != offset) return false;
    std::memmove(&blocks_[low], &blocks_[low + 1], (count_ - low - 1) * sizeof(Block));
    count_--;
    if (low < first_gap_) first_gap_ = low;
    return true;
}

}  // namespace farcall::client
