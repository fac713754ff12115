// SPDX-License-Identifier: MIT
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace farcall::bench {

/// Reads of one file through io_uring from the calling thread, for comparison: one system call submits a
/// batch and waits for it.
class FileUring {
  public:
    /// kFixed: file and memory are registered.
    enum class Mode { kPlain, kFixed };
    /// How a chain's reads follow each other. kFan: the first, then all but the last at once, then the last;
    /// which links cannot say, so the client steps in twice.
    enum class Chain { kLinks, kSteps, kFan };

    /// Empty when io_uring works here, else the reason why not, as one sentence.
    static std::string unavailable();

    /// `memory` of `bytes` is where reads go. Throws farcall::Error.
    FileUring(Mode mode, int fd, std::byte* memory, size_t bytes);
    ~FileUring();
    FileUring(const FileUring&) = delete;
    FileUring& operator=(const FileUring&) = delete;

    /// File offset of the read of index i.
    using Offset = std::function<uint64_t(uint32_t)>;
    /// `count` reads of `bytes` with `depth` in flight: ticks for each `chunk` of them.
    std::vector<uint32_t> reads(uint32_t count, uint32_t depth, uint32_t chunk, uint32_t bytes,
                                const Offset& offset);
    /// `count` chains of `length` reads, at least three: ticks of each chain.
    std::vector<uint32_t> chains(Chain how, uint32_t count, uint32_t length, uint32_t bytes,
                                 const Offset& offset);

  private:
    io_uring_sqe* prepare(uint32_t place, uint32_t bytes, uint64_t offset);
    /// Submits what is prepared, waits for `count` reads and checks them.
    void finish(uint32_t count, uint32_t bytes);

    Mode mode_;
    int fd_;
    std::byte* memory_;
    io_uring ring_{};
};

}  // namespace farcall::bench
