// SPDX-License-Identifier: MIT
#include "host-lib/window_cache.h"

#include <algorithm>
#include <array>
#include <utility>

#include "host-lib/blocking_pool.h"
#include "host-lib/fault_copy.h"
#include "host-lib/file_job.h"
#include "host-lib/region.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr size_t kPieces = 32;  ///< of a region, at a time

class MapJob final : public Job {
  public:
    MapJob(std::shared_ptr<File> file, uint64_t number, std::shared_ptr<Budget> budget)
        : file_(std::move(file)), number_(number), budget_(std::move(budget)) {}
    void block() override {
        window_ = MappedWindow::make(file_->fd, number_, file_->in_memory, std::move(budget_));
    }
    void run(Worker& worker) override {
        worker.windows().mapped(std::move(file_), number_, std::move(window_));
    }

  private:
    std::shared_ptr<File> file_;
    uint64_t number_;
    std::shared_ptr<Budget> budget_;
    std::unique_ptr<MappedWindow> window_;
};

}  // namespace

const MappedWindow* WindowCache::find(File& file, uint64_t offset, uint64_t length) {
    // Only where the page cache is what a read returns: not through a server, of which each read may ask
    // anew.
    if (budget_ == nullptr || !file.local || file.kind != File::Kind::kRegular) return nullptr;
    if (file.windows == nullptr) {
        file.bytes_read += length;
        if (file.bytes_read < MappedWindow::kBytes) return nullptr;  // most files are read once
        file.windows = std::make_unique<FileWindows>();
    }
    FileWindows& windows = *file.windows;
    if (const MappedWindow* window = windows.find(offset, length)) return window;
    if (windows.unfit) return nullptr;
    const uint64_t number = offset / MappedWindow::kBytes;
    FileWindows::Slot& slot = windows.slot(number);
    if (slot.number != number) {
        slot.heat -= std::min(slot.heat, length);
        if (slot.heat > 0 || slot.asked) return nullptr;
        drop(slot);
        slot.number = number;
    }
    slot.heat += length;
    if (slot.map == nullptr && !slot.asked && slot.heat >= FileWindows::kHot) ask(file, slot);
    return nullptr;
}

bool WindowCache::copy(File& file, const MappedWindow& window, std::optional<uint64_t> size, uint64_t offset,
                       const Region& region, uint64_t to, uint64_t length) {
    if (!size || offset + length > *size) return false;
    const std::byte* from = window.data() + offset % MappedWindow::kBytes;
    while (length > 0) {
        std::array<iovec, kPieces> pieces;
        uint64_t covered;
        const size_t count = region.slice(to, length, pieces, &covered);
        for (const iovec& piece : std::span(pieces).first(count)) {
            if (copy_or_fault(piece.iov_base, from, piece.iov_len) != 0) {
                file.windows->unfit = true;
                return false;
            }
            from += piece.iov_len;
        }
        to += covered;
        length -= covered;
    }
    worker_.stats().mapped_reads.add();
    return true;
}

void WindowCache::ask(File& file, FileWindows::Slot& slot) {
    slot.heat = 0;  // what can't be had now is asked for again when it is still hot later
    if (!take_room()) return;
    slot.asked = true;
    if (!file.windows->listed) {
        file.windows->listed = true;
        std::erase_if(files_, [](const std::weak_ptr<File>& listed) { return listed.expired(); });
        files_.push_back(file.weak_from_this());
    }
    auto job = std::make_unique<MapJob>(file.shared_from_this(), slot.number, budget_);
    job->home = &worker_;
    pool_.post(std::move(job));
}

void WindowCache::mapped(std::shared_ptr<File> file, uint64_t number, std::unique_ptr<MappedWindow> window) {
    FileWindows::Slot& slot = file->windows->slot(number);
    slot.asked = false;
    if (window == nullptr) file->windows->unfit = true;
    slot.map = std::move(window);
    slot.heat = FileWindows::kHot;
    slot.recent = true;
    // Closed meanwhile: the rest of it may block.
    if (file.use_count() == 1) drop_elsewhere(worker_, std::move(file));
}

// Room for one more window: what is left of the budget, or that of a window which nobody has read since the
// last time that somebody looked for room.
bool WindowCache::take_room() {
    if (budget_->take(MappedWindow::kBytes)) return true;
    for (size_t left = files_.size(); left > 0; left--, hand_++) {
        if (hand_ >= files_.size()) hand_ = 0;
        const std::shared_ptr<File> file = files_[hand_].lock();
        if (file == nullptr) continue;
        for (FileWindows::Slot& slot : file->windows->slots()) {
            if (slot.map == nullptr || std::exchange(slot.recent, false)) continue;
            drop(slot);  // its part of the budget is free a little later: for whoever asks next
            return false;
        }
    }
    return false;
}

void WindowCache::drop(FileWindows::Slot& slot) {
    slot.heat = 0;
    slot.recent = false;
    if (slot.map != nullptr) drop_elsewhere(worker_, std::move(slot.map));
}

}  // namespace farcall
