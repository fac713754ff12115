// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace farcall::client {

/// First-fit allocator of [0, size): bookkeeping lives outside the memory it hands out, because the other
/// side can write to that. Some thousands of blocks; not thread-safe.
class Extents {
  public:
    static constexpr uint64_t kNone = ~0ull;

    explicit Extents(uint64_t size = 0) : size_(size) {}
    ~Extents();
    Extents(const Extents&) = delete;
    Extents& operator=(const Extents&) = delete;

    void set_size(uint64_t size) { size_ = size; }
    /// Offset of a new block, aligned to `align` (a power of two), or kNone. bytes 0 is kNone.
    uint64_t allocate(uint64_t bytes, uint64_t align);
    /// Frees the block that begins at `offset`. False when there is none.
    bool free(uint64_t offset);

  private:
    struct Block {
        uint64_t offset;
        uint64_t bytes;
    };
    bool insert(size_t at, Block block);

    uint64_t size_;
    Block* blocks_ = nullptr;  ///< used blocks by offset
    size_t count_ = 0;
    size_t capacity_ = 0;
    size_t first_gap_ = 0;  ///< blocks before this one leave no room for anything
};

}  // namespace farcall::client
