// SPDX-License-Identifier: MIT
#include "host-lib/buffer_pool.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <numeric>

#include "host-lib/client.h"
#include "host-lib/domain_state.h"
#include "host-lib/operands.h"

namespace farcall {
namespace {

constexpr uint32_t kUsualBlockBytes = 64 << 10;

}  // namespace

BufferPool::BufferPool(Region& region, uint64_t offset) : HostObject(kType), pin_(region), offset_(offset) {
    region.pools++;
}

size_t BufferPool::offered(std::span<iovec> out) const {
    uint64_t covered;
    return pin_.region().slice(offset_ + start_, bytes_, out, &covered);
}

// --- EqualBuffers ---

EqualBuffers::EqualBuffers(Region& region, uint64_t offset, uint32_t count, uint32_t bytes)
    : BufferPool(region, offset), bytes_(bytes), free_(count), taken_(count) {
    std::iota(free_.rbegin(), free_.rend(), 0u);
}

uint32_t EqualBuffers::largest(uint32_t wanted) const {
    return wanted == 0 ? bytes_ : std::min(wanted, bytes_);
}

bool EqualBuffers::offer(uint32_t bytes, bool) {
    if (free_.empty()) return false;
    set_aside(uint64_t{free_.back()} * bytes_, bytes);
    return true;
}

int64_t EqualBuffers::take(uint32_t bytes) {
    const uint32_t index = free_.back();
    free_.pop_back();
    taken_[index] = true;
    return static_cast<int64_t>(index) << 20 | bytes;
}

int EqualBuffers::give_back(uint64_t index) {
    if (index >= taken_.size()) return -EINVAL;
    if (!taken_[index]) return -EALREADY;
    taken_[index] = false;
    free_.push_back(static_cast<uint32_t>(index));
    return 0;
}

// --- BlockPool ---

BlockPool::BlockPool(Region& region, uint64_t offset, uint32_t count, uint32_t smallest,
                     std::shared_ptr<DomainState> domain)
    : BufferPool(region, offset),
      shift_(static_cast<uint32_t>(std::countr_zero(smallest))),
      domain_(std::move(domain)),
      state_(fc_buddy_state_bytes(count)) {
    fc_buddy_init(&buddy_, state_.data(), count);
}

BlockPool::~BlockPool() {
    domain_->graph_budget.give(state_.size());
}

uint32_t BlockPool::largest(uint32_t wanted) const {
    const uint32_t all = buddy_.units << shift_;
    return std::min(wanted == 0 ? kUsualBlockBytes : wanted, std::bit_floor(all));
}

// All that may come gets its room first; take() gives back what it did not need, which costs less than to ask
// beforehand how much there is.
bool BlockPool::offer(uint32_t bytes, bool all) {
    const uint32_t room = fc_buddy_room(&buddy_);
    uint32_t order = fc_buddy_order(units(bytes));
    if (room == 0 || (all && room < order + 1)) return false;
    order = std::min(order, room - 1);
    aside_ = fc_buddy_alloc(&buddy_, order);
    set_aside(uint64_t{aside_} << shift_, std::min(bytes, smallest() << order));
    return true;
}

int64_t BlockPool::take(uint32_t bytes) {
    const uint32_t order = fc_buddy_order(units(bytes));
    fc_buddy_trim(&buddy_, aside_, order);
    const uint32_t start = std::exchange(aside_, FC_BUDDY_NONE) << shift_;
    return fc_block_result(order + shift_, start, bytes);
}

void BlockPool::withdraw() {
    if (aside_ != FC_BUDDY_NONE) fc_buddy_free(&buddy_, std::exchange(aside_, FC_BUDDY_NONE));
}

int BlockPool::give_back(uint64_t start) {
    if (start % smallest() != 0 || start >> shift_ >= buddy_.units) return -EINVAL;
    return fc_buddy_free(&buddy_, static_cast<uint32_t>(start >> shift_)) ? 0 : -EALREADY;
}

// --- ops ---

namespace {

int64_t add_blocks(Client& client, const Operands& operands, Region& region) {
    const uint64_t smallest = operands.offset;
    if (!std::has_single_bit(smallest) || smallest < FC_MIN_BLOCK_BYTES) return -EINVAL;
    if (operands.length == 0 || operands.length % smallest != 0) return -EINVAL;
    const uint64_t count = operands.length / smallest;
    if (operands.length > FC_MAX_BLOCK_POOL_BYTES || count > FC_MAX_BLOCKS) return -EINVAL;
    DomainState& domain = client.domain();
    if (!domain.graph_budget.take(fc_buddy_state_bytes(static_cast<uint32_t>(count)))) return -ENOSPC;
    return client.handles().add(
        std::make_shared<BlockPool>(region, operands.buffer, static_cast<uint32_t>(count),
                                    static_cast<uint32_t>(smallest), domain.shared_from_this()));
}

int64_t add_equal(Client& client, const Operands& operands, Region& region) {
    const uint64_t bytes = operands.offset;
    if (bytes == 0 || bytes > FC_MAX_POOL_BUFFER_BYTES) return -EINVAL;
    if (operands.length == 0 || operands.length % bytes != 0) return -EINVAL;
    const uint64_t count = operands.length / bytes;
    if (count > FC_MAX_POOL_BUFFERS) return -EINVAL;
    return client.handles().add(std::make_shared<EqualBuffers>(
        region, operands.buffer, static_cast<uint32_t>(count), static_cast<uint32_t>(bytes)));
}

}  // namespace

int64_t op_buffers(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_BUFFERS_BLOCKS) return -EINVAL;
    Region* region = nullptr;
    if (int err = find_range(client, task.cmd.region, operands.buffer, operands.length, true, &region))
        return err;
    if (task.cmd.op_flags & FC_BUFFERS_BLOCKS) return add_blocks(client, operands, *region);
    return add_equal(client, operands, *region);
}

int64_t op_buffer_return(Client& client, Task&, const Operands& operands) {
    BufferPool* pool = client.handles().get<BufferPool>(operands.handle);
    return pool == nullptr ? -EBADF : pool->give_back(operands.offset);
}

}  // namespace farcall
