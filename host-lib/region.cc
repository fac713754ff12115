// SPDX-License-Identifier: MIT
#include "host-lib/region.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace farcall {

Region::Region(RegionConfig config) : flags_(config.flags), keep_(std::move(config.keep)) {
    pieces_.reserve(config.segments.size());
    for (const HostSegment& segment : config.segments) {
        pieces_.push_back({bytes_, segment.data, segment.bytes});
        bytes_ += segment.bytes;
    }
}

size_t Region::find(uint64_t offset) const {
    if (pieces_.size() == 1) return 0;
    auto after = std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                                  [](uint64_t value, const Piece& piece) { return value < piece.start; });
    return static_cast<size_t>(after - pieces_.begin()) - 1;
}

size_t Region::slice(uint64_t offset, uint64_t length, std::span<iovec> out, uint64_t* covered) const {
    size_t count = 0;
    *covered = 0;
    for (size_t i = find(offset); *covered < length && count < out.size(); i++) {
        const Piece& piece = pieces_[i];
        const uint64_t skip = offset + *covered - piece.start;
        const uint64_t take = std::min(piece.bytes - skip, length - *covered);
        out[count++] = {piece.data + skip, take};
        *covered += take;
    }
    return count;
}

void Region::copy_out(uint64_t offset, void* to, uint64_t length) const {
    auto* target = static_cast<std::byte*>(to);
    while (length > 0) {
        iovec piece;
        uint64_t covered;
        slice(offset, length, {&piece, 1}, &covered);
        std::memcpy(target, piece.iov_base, covered);
        target += covered;
        offset += covered;
        length -= covered;
    }
}

void Region::copy_in(uint64_t offset, const void* from, uint64_t length) const {
    const auto* source = static_cast<const std::byte*>(from);
    while (length > 0) {
        iovec piece;
        uint64_t covered;
        slice(offset, length, {&piece, 1}, &covered);
        std::memcpy(piece.iov_base, source, covered);
        source += covered;
        offset += covered;
        length -= covered;
    }
}

uint64_t* Region::word(uint64_t offset) const {
    if (offset % sizeof(uint64_t) != 0 || !contains(offset, sizeof(uint64_t))) return nullptr;
    const Piece& piece = pieces_[find(offset)];
    return reinterpret_cast<uint64_t*>(piece.data + (offset - piece.start));
}

RegionPin::~RegionPin() {
    if (region_ == nullptr || --region_->pins > 0 || !region_->on_unpinned) return;
    ControlDone done = std::move(region_->on_unpinned);
    delete region_;  // taken out of the table by Client::remove_region(), which left it to its last user
    done({});
}

namespace {

// Words of the arena must not straddle two pieces, and a piece of 0 bytes would make slice() spin.
int check_segments(const RegionConfig& config) {
    if (config.segments.empty()) return -EINVAL;
    const bool arena = (config.flags & FC_REGION_ARENA) != 0;
    for (const HostSegment& segment : config.segments) {
        if (segment.bytes == 0) return -EINVAL;
        const bool aligned = segment.bytes % 8 == 0 && reinterpret_cast<uintptr_t>(segment.data) % 8 == 0;
        if (arena && !aligned) return -EINVAL;
    }
    return 0;
}

}  // namespace

int64_t RegionTable::add(RegionConfig config) {
    if (config.flags & ~(FC_REGION_ARENA | FC_REGION_WRITE)) return -EINVAL;
    const bool arena = (config.flags & FC_REGION_ARENA) != 0;
    if (arena && !slots_.empty()) return -EEXIST;
    if (!arena && slots_.empty()) return -ENXIO;
    if (arena && !(config.flags & FC_REGION_WRITE)) return -EINVAL;
    if (int err = check_segments(config)) return err;
    if (arena) {
        slots_.push_back({std::make_unique<Region>(std::move(config)), 0});
        return 0;
    }
    if (free_.empty()) {
        if (slots_.size() > max_regions_ || slots_.size() > UINT16_MAX) return -ENOSPC;
        free_.push_back(static_cast<uint16_t>(slots_.size()));
        slots_.emplace_back();
    }
    const uint16_t index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    slot.region = std::make_unique<Region>(std::move(config));
    return static_cast<int64_t>(slot.generation) << 16 | index;
}

Region* RegionTable::find(uint32_t key) const {
    const uint32_t index = key & 0xffff;
    if (index >= slots_.size() || slots_[index].generation != key >> 16) return nullptr;
    return slots_[index].region.get();
}

std::unique_ptr<Region> RegionTable::take(uint32_t key) {
    if (find(key) == nullptr) return nullptr;
    const auto index = static_cast<uint16_t>(key & 0xffff);
    slots_[index].generation++;
    free_.push_back(index);
    return std::move(slots_[index].region);
}

void RegionTable::keep_only(const std::function<bool(uint32_t key)>& wanted) {
    for (uint32_t i = 1; i < slots_.size(); i++) {
        const uint32_t key = static_cast<uint32_t>(slots_[i].generation) << 16 | i;
        const Region* region = slots_[i].region.get();
        if (region != nullptr && region->pins == 0 && !wanted(key)) take(key);
    }
}

}  // namespace farcall
