// SPDX-License-Identifier: MIT
#include "host-lib/mapped_window.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace farcall {

std::unique_ptr<MappedWindow> MappedWindow::make(int fd, uint64_t number, bool fills_holes,
                                                 std::shared_ptr<Budget> budget) {
    std::unique_ptr<MappedWindow> window(new MappedWindow(std::move(budget)));
    const uint64_t start = number * kBytes;
    struct stat status;
    if (fstat(fd, &status) < 0 || static_cast<uint64_t>(status.st_size) <= start) return nullptr;
    if (fills_holes && status.st_blocks * 512 < status.st_size) return nullptr;
    const uint64_t bytes = std::min(static_cast<uint64_t>(status.st_size) - start, kBytes);
    void* data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(start));
    if (data == MAP_FAILED) return nullptr;
    window->data_ = static_cast<const std::byte*>(data);
    window->bytes_ = bytes;
    if (mlock(data, bytes) < 0) return nullptr;
    window->end_.reset(open(name_of(fd).c_str(), O_RDONLY | O_CLOEXEC));
    return window->end_ ? std::move(window) : nullptr;
}

std::optional<uint64_t> MappedWindow::file_size() const {
    const off_t end = lseek(end_.get(), 0, SEEK_END);
    if (end < 0) return std::nullopt;
    return static_cast<uint64_t>(end);
}

MappedWindow::~MappedWindow() {
    if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), bytes_);
    budget_->give(kBytes);
}

}  // namespace farcall
