// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "host-lib/budget.h"
#include "host-lib/unique_fd.h"

namespace farcall {

/// A part of a file, mapped read-only and locked into memory: reading it takes no system call and waits for
/// no device.
class MappedWindow {
  public:
    static constexpr uint64_t kBytes = 2u << 20;  ///< windows lie at multiples of it

    /// Maps what the file has of window `number`, at most kBytes, and reads in what is missing. May block.
    /// nullptr when it can't be mapped, locked or opened once more, or lies behind the end of the file. Takes
    /// kBytes of the budget over, whatever comes of it. In a file without holes where reading one through a
    /// mapping would fill it (`fills_holes`).
    static std::unique_ptr<MappedWindow> make(int fd, uint64_t number, bool fills_holes,
                                              std::shared_ptr<Budget> budget);
    ~MappedWindow();
    MappedWindow(const MappedWindow&) = delete;
    MappedWindow& operator=(const MappedWindow&) = delete;

    const std::byte* data() const { return data_; }
    uint64_t bytes() const { return bytes_; }
    /// Of the whole file, as of now; nothing when it can't be told.
    std::optional<uint64_t> file_size() const;

  private:
    explicit MappedWindow(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}

    const std::byte* data_ = nullptr;
    uint64_t bytes_ = 0;
    UniqueFd end_;  ///< another description of the file, whose position is nobody else's: seeking its end is
                    ///< the cheapest way to learn the size, half of an fstat()
    std::shared_ptr<Budget> budget_;
};

/// The windows of one file of which the worker keeps count, some of them mapped. Used by the file's worker;
/// may be destroyed anywhere.
class FileWindows {
  public:
    static constexpr uint32_t kSlots = 32;
    /// Bytes read from a window after which mapping it, some 100 us, pays: more than who reads the file once,
    /// from its beginning to its end, will read of it.
    static constexpr uint64_t kHot = 2 * MappedWindow::kBytes;

    struct Slot {
        uint64_t number = UINT64_MAX;
        std::unique_ptr<MappedWindow> map;
        uint64_t heat =
            0;  ///< bytes read, at most kHot, less those of other windows that would have this slot
        bool asked = false;   ///< a thread of the pool is mapping it
        bool recent = false;  ///< read since the last sweep for room
    };

    /// The window that has all of these bytes, or had them before the file became shorter; nullptr: none is
    /// mapped.
    const MappedWindow* find(uint64_t offset, uint64_t length) {
        Slot& slot = slots_[offset / MappedWindow::kBytes % kSlots];
        if (slot.map == nullptr || unfit || slot.number != offset / MappedWindow::kBytes) return nullptr;
        slot.heat = kHot;
        slot.recent = true;
        return offset % MappedWindow::kBytes + length <= slot.map->bytes() ? slot.map.get() : nullptr;
    }
    Slot& slot(uint64_t number) { return slots_[number % kSlots]; }
    std::array<Slot, kSlots>& slots() { return slots_; }

    bool unfit = false;   ///< can't be mapped or locked, or a copy faulted: left alone until it is closed
    bool listed = false;  ///< the worker's cache knows it

  private:
    std::array<Slot, kSlots> slots_;
};

}  // namespace farcall
