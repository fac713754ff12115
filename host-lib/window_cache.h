// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "host-lib/budget.h"
#include "host-lib/handle_table.h"

namespace farcall {

class BlockingPool;
class Region;
class Worker;

/// A worker's mapped windows of files that its clients read again and again: there a short read is a copy,
/// which takes a tenth of the time of a system call that does the same. Used on the worker's thread.
class WindowCache {
  public:
    /// `budget`: of all workers; nullptr: nothing is ever mapped.
    WindowCache(Worker& worker, BlockingPool& pool, std::shared_ptr<Budget> budget)
        : worker_(worker), pool_(pool), budget_(std::move(budget)) {}

    /// The mapped window that [offset, offset + length) may be copied from, once the file's size has been
    /// looked at; nullptr: there is none, and the read counts towards having it mapped. offset is below 2^63.
    const MappedWindow* find(File& file, uint64_t offset, uint64_t length);
    /// Copies that, of what find() gave, into the region, which has [to, to + length); `size`: of the file,
    /// as looked at just now. False: the file is shorter, or can't be read, or the client's memory is gone;
    /// read it the usual way.
    bool copy(File& file, const MappedWindow& window, std::optional<uint64_t> size, uint64_t offset,
              const Region& region, uint64_t to, uint64_t length);

    /// A window that was asked for: nullptr if it could not be made.
    void mapped(std::shared_ptr<File> file, uint64_t number, std::unique_ptr<MappedWindow> window);

  private:
    void ask(File& file, FileWindows::Slot& slot);
    bool take_room();
    void drop(FileWindows::Slot& slot);

    Worker& worker_;
    BlockingPool& pool_;
    const std::shared_ptr<Budget> budget_;
    std::vector<std::weak_ptr<File>> files_;  ///< that have windows
    size_t hand_ = 0;                         ///< where the next sweep for room begins
};

}  // namespace farcall
