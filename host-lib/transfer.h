// SPDX-License-Identifier: MIT
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host-lib/handle_table.h"

namespace farcall {

/// Moves bytes between a file and pieces of host memory.
struct Transfer {
    bool write = false;
    int64_t offset = -1;  ///< byte offset in the file; -1: the file's own position

    /// One preadv2/pwritev2, restarted after signals. Returns bytes or -errno.
    int64_t once(const File& file, std::span<const iovec> pieces, int flags) const;

    /// Until all is moved, the file ends, or an error; an error after some bytes gives the bytes. May block.
    int64_t all(const File& file, std::vector<iovec>& pieces);

    /// The same for a stream: polls before each step and gives up (-ECANCELED) when `cancel_fd` becomes
    /// readable. Reads return what there is.
    int64_t stream(const File& file, std::span<const iovec> pieces, int cancel_fd) const;
};

/// Drops `bytes`, at most what there is, from the front of the pieces from `*first` on.
void advance(std::vector<iovec>& pieces, size_t* first, uint64_t bytes);

}  // namespace farcall
