// SPDX-License-Identifier: MIT
#include "host-lib/buffer_pool.h"

#include <cerrno>
#include <numeric>

#include "host-lib/client.h"
#include "host-lib/operands.h"

namespace farcall {

BufferPool::BufferPool(Region& region, uint64_t offset, uint32_t count, uint32_t bytes)
    : HostObject(kType), pin_(region), offset_(offset), bytes_(bytes), free_(count), taken_(count) {
    region.pools++;
    std::iota(free_.rbegin(), free_.rend(), 0u);
}

size_t BufferPool::next(uint32_t bytes, std::span<iovec> out, uint64_t* covered) const {
    return pin_.region().slice(offset_ + uint64_t{free_.back()} * bytes_, bytes, out, covered);
}

uint32_t BufferPool::take() {
    const uint32_t index = free_.back();
    free_.pop_back();
    taken_[index] = true;
    return index;
}

int BufferPool::give_back(uint64_t index) {
    if (index >= taken_.size()) return -EINVAL;
    if (!taken_[index]) return -EALREADY;
    taken_[index] = false;
    free_.push_back(static_cast<uint32_t>(index));
    return 0;
}

int64_t op_buffers(Client& client, Task& task, const Operands& operands) {
    const uint64_t bytes = operands.offset;
    if (bytes == 0 || bytes > FC_MAX_POOL_BUFFER_BYTES) return -EINVAL;
    if (operands.length == 0 || operands.length % bytes != 0) return -EINVAL;
    const uint64_t count = operands.length / bytes;
    if (count > FC_MAX_POOL_BUFFERS) return -EINVAL;
    Region* region = nullptr;
    if (int err = find_range(client, task.cmd.region, operands.buffer, operands.length, true, &region))
        return err;
    return client.handles().add(std::make_shared<BufferPool>(
        *region, operands.buffer, static_cast<uint32_t>(count), static_cast<uint32_t>(bytes)));
}

int64_t op_buffer_return(Client& client, Task&, const Operands& operands) {
    BufferPool* pool = client.handles().get<BufferPool>(operands.handle);
    return pool == nullptr ? -EBADF : pool->give_back(operands.offset);
}

}  // namespace farcall
