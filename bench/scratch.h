// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "host-lib/unique_fd.h"

namespace farcall::bench {

/// A directory of a bench's own among the temporary files; goes with the object, and all that is in it.
class ScratchDirectory {
  public:
    /// Throws farcall::Error.
    ScratchDirectory();
    ~ScratchDirectory();
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;

    const std::string& path() const { return path_; }
    /// A file of so many bytes, open for reading and writing, in the page cache. Throws farcall::Error.
    UniqueFd make_file(const std::string& name, uint64_t bytes) const;

  private:
    std::string path_;
};

}  // namespace farcall::bench
