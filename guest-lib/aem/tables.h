// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <cstdint>

namespace farcall::aem {

constexpr uint32_t kNone = ~0u;

/// Slots that never move, of a type that is right when all bytes are zero, except for `next_free`. Memory
/// comes from mmap() and not from malloc(), which a handler may have interrupted.
template <typename T>
class Table {
  public:
    static constexpr uint32_t kChunk = 4096;
    static constexpr uint32_t kChunks = 256;
    static constexpr uint32_t kMax = kChunk * kChunks;

    /// kNone when there is no memory, or kMax are in use. The slot is zero.
    uint32_t allocate() {
        uint32_t slot = free_;
        if (slot == kNone) {
            slot = used_;
            if (slot == kMax || !reach(slot)) return kNone;
            used_++;
            return slot;
        }
        T& entry = at(slot);
        free_ = entry.next_free;
        entry.next_free = 0;
        return slot;
    }
    /// The entry must have been made zero, but for what tells its next user from this one.
    void release(uint32_t slot) {
        at(slot).next_free = free_;
        free_ = slot;
    }
    bool contains(uint32_t slot) const { return slot < used_; }
    uint32_t size() const { return used_; }
    T& at(uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }
    void unmap() {
        for (T*& chunk : chunks_) {
            if (chunk != nullptr) ::munmap(chunk, kChunk * sizeof(T));
            chunk = nullptr;
        }
        free_ = kNone;
        used_ = 0;
    }

  private:
    bool reach(uint32_t slot) {
        T*& chunk = chunks_[slot / kChunk];
        if (chunk != nullptr) return true;
        void* memory =
            ::mmap(nullptr, kChunk * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return false;
        chunk = static_cast<T*>(memory);
        return true;
    }

    T* chunks_[kChunks] = {};
    uint32_t free_ = kNone;
    uint32_t used_ = 0;
};

/// Event ID -> slot, for timers: open addressing, a power of two of places, at most half of them used. As
/// above, memory comes from mmap().
class IdMap {
  public:
    /// False when there is no memory.
    bool insert(uint64_t id, uint32_t slot) {
        if (used_ * 2 >= places_ && !grow()) return false;
        place(id, slot);
        used_++;
        return true;
    }
    uint32_t find(uint64_t id) const {
        if (places_ == 0) return kNone;
        for (uint64_t i = hash(id);; i++) {
            const Place& entry = table_[i & (places_ - 1)];
            if (entry.id == id) return entry.slot;
            if (entry.id == 0) return kNone;
        }
    }
    /// Closes the gap, so that no markers of what was here pile up.
    void erase(uint64_t id) {
        if (places_ == 0) return;
        const uint64_t mask = places_ - 1;
        uint64_t gap = hash(id) & mask;
        while (table_[gap].id != id) {
            if (table_[gap].id == 0) return;
            gap = (gap + 1) & mask;
        }
        for (uint64_t i = (gap + 1) & mask; table_[i].id != 0; i = (i + 1) & mask) {
            if (((i - hash(table_[i].id)) & mask) < ((i - gap) & mask)) continue;
            table_[gap] = table_[i];
            gap = i;
        }
        table_[gap] = {};
        used_--;
    }
    void unmap() {
        if (table_ != nullptr) ::munmap(table_, places_ * sizeof(Place));
        *this = {};
    }

  private:
    struct Place {
        uint64_t id;  ///< 0: empty; it is never an event ID
        uint64_t slot;
    };
    static uint64_t hash(uint64_t id) { return id * 0x9e3779b97f4a7c15ull >> 20; }

    void place(uint64_t id, uint64_t slot) {
        uint64_t i = hash(id);
        while (table_[i & (places_ - 1)].id != 0)
            i++;
        table_[i & (places_ - 1)] = {id, slot};
    }
    bool grow() {
        const uint64_t places = places_ == 0 ? 1024 : places_ * 2;
        void* memory = ::mmap(nullptr, places * sizeof(Place), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return false;
        IdMap old = *this;
        table_ = static_cast<Place*>(memory);
        places_ = places;
        for (uint64_t i = 0; i < old.places_; i++)
            if (old.table_[i].id != 0) place(old.table_[i].id, old.table_[i].slot);
        if (old.table_ != nullptr) ::munmap(old.table_, old.places_ * sizeof(Place));
        return true;
    }

    Place* table_ = nullptr;
    uint64_t places_ = 0;
    uint64_t used_ = 0;
};

}  // namespace farcall::aem
