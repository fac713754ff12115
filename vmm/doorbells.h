// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vmm/kvm.h"
#include "vmm/offload_device.h"

namespace farcall::vmm {

/// Doorbells as ioeventfds: a 32-bit store of any value at the start of page i of the BAR signals worker i's
/// eventfd inside the kernel.
class KvmDoorbells final : public DoorbellSink {
  public:
    /// `event_fds`: one for each worker; borrowed, as is `vm`.
    KvmDoorbells(Vm& vm, std::vector<int> event_fds) : vm_(vm), event_fds_(std::move(event_fds)) {}

    void place(uint64_t address) override;

  private:
    Vm& vm_;
    std::vector<int> event_fds_;
    std::optional<uint64_t> placed_;
};

}  // namespace farcall::vmm
