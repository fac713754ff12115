// SPDX-License-Identifier: MIT
#include "host-lib/guest_memory.h"

#include <cerrno>

#include <farcall/ring.h>

namespace farcall {

void GuestMemory::add_window(uint64_t base, uint64_t bytes, std::byte* host) {
    windows_.push_back({base, bytes, host});
}

std::byte* GuestMemory::translate(uint64_t address, uint64_t bytes) const {
    if (bytes == 0) return nullptr;
    for (const Window& window : windows_) {
        // Written so that no sum can wrap: address and bytes are whatever the guest wrote.
        if (address >= window.base && address - window.base < window.bytes &&
            bytes <= window.bytes - (address - window.base)) {
            return window.host + (address - window.base);
        }
    }
    return nullptr;
}

int translate_segments(const GuestMemory& memory, uint64_t list_address, uint64_t count,
                       std::vector<HostSegment>& out) {
    if (count == 0 || count > FC_MAX_SEGMENTS || list_address % alignof(fc_segment) != 0) return -EINVAL;
    const std::byte* list = memory.translate(list_address, count * sizeof(fc_segment));
    if (list == nullptr) return -EFAULT;
    const auto* segments = reinterpret_cast<const fc_segment*>(list);
    out.clear();
    out.reserve(count);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t address = fc_load_relaxed(&segments[i].address);
        const uint64_t bytes = fc_load_relaxed(&segments[i].bytes);
        std::byte* data = memory.translate(address, bytes);
        if (data == nullptr) return -EFAULT;
        out.push_back({data, bytes});
    }
    return 0;
}

}  // namespace farcall
