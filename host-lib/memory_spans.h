// SPDX-License-Identifier: MIT
#pragma once

#include <sys/uio.h>

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include <farcall/abi.h>

#include "host-lib/region.h"

namespace farcall {

class Client;

/// The memory of a transfer: ranges of a client's regions, one after the other. Used by the worker only.
class MemorySpans {
  public:
    /// Appends a range. -EIDRM, -EFAULT, -EACCES; -EINVAL: more than FC_MAX_TRANSFER bytes in all.
    int add(Client& client, uint32_t key, uint64_t offset, uint32_t length, bool host_writes);
    /// Appends an array of `count` struct fc_iov at `offset` of the arena, copied once. Also -EINVAL: more
    /// than FC_MAX_IOV; -EFAULT: not 8-aligned inside the arena.
    int add_array(Client& client, uint64_t offset, uint32_t count, bool host_writes);

    uint64_t bytes() const { return bytes_; }

    /// Pieces of at most `limit` bytes from byte `skip` on. Returns how many, and the bytes that they cover.
    size_t slice(uint64_t skip, uint64_t limit, std::span<iovec> out, uint64_t* covered) const;

    /// Keeps the regions while a command is suspended.
    void pin();
    /// The same by a job of the blocking pool, which gives them back before its client may go.
    void pin_by(class FileJob& job) const;

  private:
    struct Span {
        Region* region;
        uint64_t offset;
        uint32_t length;
    };
    boost::container::small_vector<Span, 1> spans_;
    std::vector<RegionPin> pins_;
    uint64_t bytes_ = 0;
};

}  // namespace farcall
