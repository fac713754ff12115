// SPDX-License-Identifier: MIT
#pragma once

#include <farcall/buddy.h>
#include <farcall/ring.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host-lib/graph_budget.h"
#include "host-lib/handle_table.h"
#include "host-lib/ops.h"
#include "host-lib/region.h"

namespace farcall {

struct DomainState;

/// Memory in a region of the client, of which the host picks a part when there is something to put into it.
/// Keeps its region. Used by the worker only.
class BufferPool : public HostObject {
  public:
    static constexpr Type kType = Type::kBufferPool;

    ~BufferPool() override { pin_.region().pools--; }

    /// How many bytes one buffer may get when `wanted` (0: what is usual) are asked for.
    virtual uint32_t largest(uint32_t wanted) const = 0;
    /// Sets a buffer of `bytes` aside, or of less if not `all`. False: none is free. Then take() or
    /// withdraw(), before the next offer().
    virtual bool offer(uint32_t bytes, bool all) = 0;
    /// Pieces of what was set aside.
    size_t offered(std::span<iovec> out) const;
    /// It has got `bytes`, at least 1, and is the client's now. Returns the event's result.
    virtual int64_t take(uint32_t bytes) = 0;
    virtual uint8_t event_flags() const = 0;
    /// Nothing came, if it was not taken.
    virtual void withdraw() = 0;
    /// -EINVAL: no such buffer; -EALREADY: the host has it.
    virtual int give_back(uint64_t name) = 0;

  protected:
    /// [offset, …) is inside, as far as buffers are offered from it.
    BufferPool(Region& region, uint64_t offset);
    void set_aside(uint64_t start, uint32_t bytes) {
        start_ = start;
        bytes_ = bytes;
    }

  private:
    RegionPin pin_;
    uint64_t offset_;
    uint64_t start_ = 0;  ///< of what was set aside, in the pool
    uint32_t bytes_ = 0;
};

/// Buffers of equal size, named by their index.
class EqualBuffers final : public BufferPool {
  public:
    EqualBuffers(Region& region, uint64_t offset, uint32_t count, uint32_t bytes);

    uint32_t largest(uint32_t wanted) const override;
    bool offer(uint32_t bytes, bool all) override;
    int64_t take(uint32_t bytes) override;
    uint8_t event_flags() const override { return FC_E_BUFFER; }
    void withdraw() override {}
    int give_back(uint64_t index) override;

  private:
    uint32_t bytes_;
    std::vector<uint32_t> free_;  ///< the last one is next: its cache lines are the warmest
    std::vector<bool> taken_;
};

/// Blocks as large as what is put into them, rounded up to a power of two, named by where they start: a buddy
/// allocator, whose state is out of the client's reach.
class BlockPool final : public BufferPool {
  public:
    /// Takes the bytes of its state over, which have been taken from the domain's budget.
    BlockPool(Region& region, uint64_t offset, uint32_t count, uint32_t smallest,
              std::shared_ptr<DomainState> domain);
    ~BlockPool() override;

    uint32_t largest(uint32_t wanted) const override;
    bool offer(uint32_t bytes, bool all) override;
    int64_t take(uint32_t bytes) override;
    uint8_t event_flags() const override { return FC_E_BUFFER | FC_E_BLOCK; }
    void withdraw() override;
    int give_back(uint64_t start) override;

  private:
    uint32_t units(uint32_t bytes) const { return (bytes + smallest() - 1) >> shift_; }
    uint32_t smallest() const { return 1u << shift_; }

    const uint32_t shift_;
    std::shared_ptr<DomainState> domain_;
    std::vector<uint8_t> state_;
    fc_buddy buddy_{};
    uint32_t aside_ = FC_BUDDY_NONE;
};

// Rows of the op table.
int64_t op_buffers(Client& client, Task& task, const Operands& operands);
int64_t op_buffer_return(Client& client, Task& task, const Operands& operands);

}  // namespace farcall
