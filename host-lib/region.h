// SPDX-License-Identifier: MIT
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "host-lib/engine.h"

namespace farcall {

/// Registered memory of one client. Used by its worker only, but for the bytes themselves.
class Region {
  public:
    /// `config.segments` are host memory and were bounds-checked when they were translated.
    explicit Region(RegionConfig config);

    uint64_t bytes() const { return bytes_; }
    bool writable() const { return (flags_ & FC_REGION_WRITE) != 0; }

    /// True when [offset, offset + length) lies inside.
    bool contains(uint64_t offset, uint64_t length) const {
        return offset <= bytes_ && length <= bytes_ - offset;
    }

    /// Fills `out` with at most out.size() pieces of [offset, offset + length), which must be inside; returns
    /// how many, and in *covered how many bytes they cover (less than length when `out` was too short).
    size_t slice(uint64_t offset, uint64_t length, std::span<iovec> out, uint64_t* covered) const;

    /// Copies out of the region, once. The range must be inside.
    void copy_out(uint64_t offset, void* to, uint64_t length) const;
    void copy_in(uint64_t offset, const void* from, uint64_t length) const;

    /// The 8-aligned 64-bit word at `offset`, or nullptr when it is outside or not aligned.
    uint64_t* word(uint64_t offset) const;

    /// Commands that use the memory right now, in the blocking pool; it is not released before they are done.
    uint32_t pins = 0;
    /// Buffer pools in the memory. They pin it too, for as long as the client wants, so that a removal would
    /// wait for the client itself: it is refused.
    uint32_t pools = 0;
    /// Set when REGION_REMOVE waits for the last pin.
    ControlDone on_unpinned;

  private:
    struct Piece {
        uint64_t start;
        std::byte* data;
        uint64_t bytes;
    };
    size_t find(uint64_t offset) const;

    std::vector<Piece> pieces_;
    uint64_t bytes_ = 0;
    uint32_t flags_;
    std::shared_ptr<void> keep_;
};

/// Keeps a region's memory from being released while a command uses it outside of the worker. Made and
/// destroyed on the worker only.
class RegionPin {
  public:
    explicit RegionPin(Region& region) : region_(&region) { region.pins++; }
    RegionPin(RegionPin&& other) noexcept : region_(std::exchange(other.region_, nullptr)) {}
    RegionPin& operator=(RegionPin&&) = delete;
    /// The last one of a removed region frees it and answers the remover.
    ~RegionPin();

    Region& region() const { return *region_; }

  private:
    Region* region_;
};

/// Region keys of one client: index in the low 16 bits, generation above; the arena is key 0.
class RegionTable {
  public:
    explicit RegionTable(uint32_t max_regions) : max_regions_(max_regions) {}

    /// Returns the key, or -EEXIST, -ENXIO, -EINVAL, -ENOSPC.
    int64_t add(RegionConfig config);
    /// nullptr when the key names nothing.
    Region* find(uint32_t key) const;
    /// Takes the region out of the table, so that no new command finds it. nullptr when the key names
    /// nothing.
    std::unique_ptr<Region> take(uint32_t key);
    /// Frees all but the arena, those that are `wanted` and those that are pinned.
    void keep_only(const std::function<bool(uint32_t key)>& wanted);
    Region* arena() const { return slots_.empty() ? nullptr : slots_[0].region.get(); }

  private:
    struct Slot {
        std::unique_ptr<Region> region;
        uint16_t generation = 0;
    };
    uint32_t max_regions_;
    std::vector<Slot> slots_;
    std::vector<uint16_t> free_;
};

}  // namespace farcall
