// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "host-lib/unique_fd.h"

namespace farcall::vmm {

/// A regular file that is read at offsets, each read checked against its size. `what` names it in errors
/// ("kernel").
class InputFile {
  public:
    /// Throws farcall::Error: absent, unreadable, not a regular file, empty.
    InputFile(std::string path, std::string what);

    uint64_t bytes() const { return bytes_; }
    const std::string& path() const { return path_; }
    const std::string& what() const { return what_; }

    /// Fills `out` from `offset`. Throws farcall::Error ("… is truncated") unless all of it is inside the
    /// file.
    void read(uint64_t offset, std::span<std::byte> out) const;

    template <typename T>
    T read_struct(uint64_t offset) const {
        static_assert(std::is_trivially_copyable_v<T>);
        T value;
        read(offset, std::as_writable_bytes(std::span(&value, 1)));
        return value;
    }

  private:
    std::string path_;
    std::string what_;
    UniqueFd fd_;
    uint64_t bytes_ = 0;
};

}  // namespace farcall::vmm
