// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "vmm/pci.h"
#include "vmm/serial.h"
#include "vmm/stop.h"

namespace farcall::vmm {

/// All port and memory accesses that leave the guest. What nobody answers reads all ones; writes to it are
/// ignored. Any thread.
class IoBus {
  public:
    IoBus(PciBus& pci, Serial& serial, StopEvent& stop) : pci_(pci), serial_(serial), stop_(stop) {}

    /// `data` has 1, 2 or 4 bytes (ports), 1 to 8 (memory).
    void port_read(uint16_t port, std::span<uint8_t> data);
    void port_write(uint16_t port, std::span<const uint8_t> data);
    void memory_read(uint64_t address, std::span<uint8_t> data);
    void memory_write(uint64_t address, std::span<const uint8_t> data);

  private:
    uint8_t byte_read(uint16_t port);
    void byte_write(uint16_t port, uint8_t value);

    PciBus& pci_;
    Serial& serial_;
    StopEvent& stop_;
    std::atomic<uint8_t> rtc_index_ = 0;
};

}  // namespace farcall::vmm
