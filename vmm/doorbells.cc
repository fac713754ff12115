// SPDX-License-Identifier: MIT
#include "vmm/doorbells.h"

#include <spdlog/spdlog.h>

#include <cstring>

#include "vmm/layout.h"

namespace farcall::vmm {

void KvmDoorbells::place(uint64_t address) {
    constexpr uint32_t kBytes = sizeof(uint32_t);
    for (size_t i = 0; placed_ && i < event_fds_.size(); i++) {
        vm_.remove_ioeventfd(event_fds_[i], *placed_ + i * layout::kPage, kBytes);
    }
    placed_ = address;
    for (size_t i = 0; i < event_fds_.size(); i++) {
        // Refused: the store exits to the device, which rings all the same.
        const int result = vm_.assign_ioeventfd(event_fds_[i], address + i * layout::kPage, kBytes);
        if (result < 0) spdlog::debug("doorbell {} at {:#x}: {}", i, address, std::strerror(-result));
    }
}

}  // namespace farcall::vmm
