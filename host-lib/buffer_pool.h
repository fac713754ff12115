// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "host-lib/handle_table.h"
#include "host-lib/ops.h"
#include "host-lib/region.h"

namespace farcall {

/// Equal buffers in a region of the client, of which the host picks one when there is something to put into
/// it. Keeps its region. Used by the worker only.
class BufferPool : public HostObject {
  public:
    static constexpr Type kType = Type::kBufferPool;

    /// [offset, offset + count * bytes) is inside.
    BufferPool(Region& region, uint64_t offset, uint32_t count, uint32_t bytes);
    ~BufferPool() override { pin_.region().pools--; }

    uint32_t buffer_bytes() const { return bytes_; }
    bool empty() const { return free_.empty(); }
    /// The buffer that take() gives next: pieces of its first `bytes`.
    size_t next(uint32_t bytes, std::span<iovec> out, uint64_t* covered) const;
    /// Its index; it is the client's now.
    uint32_t take();
    /// -EINVAL: no such buffer; -EALREADY: the host has it.
    int give_back(uint64_t index);

  private:
    RegionPin pin_;
    uint64_t offset_;
    uint32_t bytes_;
    std::vector<uint32_t> free_;  ///< the last one is next: its cache lines are the warmest
    std::vector<bool> taken_;
};

// Rows of the op table.
int64_t op_buffers(Client& client, Task& task, const Operands& operands);
int64_t op_buffer_return(Client& client, Task& task, const Operands& operands);

}  // namespace farcall
