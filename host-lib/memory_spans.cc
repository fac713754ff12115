// SPDX-License-Identifier: MIT
#include "host-lib/memory_spans.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/file_job.h"
#include "host-lib/operands.h"

namespace farcall {

int MemorySpans::add(Client& client, uint32_t key, uint64_t offset, uint32_t length, bool host_writes) {
    Region* region = nullptr;
    if (int err = find_range(client, key, offset, length, host_writes, &region)) return err;
    if (length > FC_MAX_TRANSFER - bytes_) return -EINVAL;
    bytes_ += length;
    if (length > 0) spans_.push_back({region, offset, length});
    return 0;
}

int MemorySpans::add_array(Client& client, uint64_t offset, uint32_t count, bool host_writes) {
    if (count > FC_MAX_IOV) return -EINVAL;
    const Region* arena = client.regions().arena();
    const uint64_t bytes = count * sizeof(fc_iov);
    if (offset % 8 != 0 || !arena->contains(offset, bytes)) return -EFAULT;
    std::array<fc_iov, FC_MAX_IOV> vectors;
    arena->copy_out(offset, vectors.data(), bytes);
    for (const fc_iov& vector : std::span(vectors).first(count)) {
        if (int err = add(client, vector.region, vector.buffer, vector.length, host_writes)) return err;
    }
    return 0;
}

size_t MemorySpans::slice(uint64_t skip, uint64_t limit, std::span<iovec> out, uint64_t* covered) const {
    size_t count = 0;
    *covered = 0;
    for (const Span& span : spans_) {
        if (skip >= span.length) {
            skip -= span.length;
            continue;
        }
        if (count == out.size() || *covered == limit) break;
        const uint64_t wanted = std::min(span.length - skip, limit - *covered);
        uint64_t got = 0;
        count += span.region->slice(span.offset + skip, wanted, out.subspan(count), &got);
        *covered += got;
        if (got < wanted) break;
        skip = 0;
    }
    return count;
}

void MemorySpans::pin() {
    pins_.reserve(spans_.size());
    for (const Span& span : spans_)
        pins_.emplace_back(*span.region);
}

void MemorySpans::pin_by(FileJob& job) const {
    for (const Span& span : spans_)
        job.pin(*span.region);
}

}  // namespace farcall
