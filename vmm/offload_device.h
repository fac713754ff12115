// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "host-lib/engine.h"
#include "host-lib/guest_memory.h"
#include "vmm/control_requests.h"
#include "vmm/msix.h"
#include "vmm/pci.h"
#include "vmm/stop.h"

namespace farcall::vmm {

/// Makes stores to the doorbell pages signal the workers' eventfds without an exit: KVM, or nothing in a
/// test.
class DoorbellSink {
  public:
    virtual ~DoorbellSink() = default;
    /// The doorbell BAR is at `address` now. Called with the PCI bus locked.
    virtual void place(uint64_t address) = 0;
};

/// The offload device of <farcall/control.h>: registers in BAR 0, doorbells in BAR 2, MSI-X in BAR 4. It
/// knows nothing of KVM: tests drive it through PciDevice. Any thread; the guest is hostile. Must outlive the
/// engine's threads, and all that it was given must outlive its use.
class OffloadDevice final : public PciDevice {
  public:
    struct Parts {
        const GuestMemory& memory;
        Engine& engine;
        Domain& domain;
        InterruptSink& interrupts;
        DoorbellSink& doorbells;
        StopEvent& stop;
        std::function<uint64_t()> exits;  ///< VM exits to user space so far; may be empty
    };
    /// Throws farcall::Error when out of descriptors.
    explicit OffloadDevice(const Parts& parts);

    PciConfig& config() override { return config_; }
    void config_changed() override;
    uint64_t bar_read(unsigned bar, uint64_t offset, unsigned bytes) override;
    void bar_write(unsigned bar, uint64_t offset, unsigned bytes, uint64_t value) override;

  private:
    uint32_t register_read(uint64_t offset);
    void register_write(uint64_t offset, uint32_t value);
    void ring_doorbell(uint64_t offset) const;

    Parts parts_;
    PciConfig config_;
    Msix msix_;
    ControlRequests requests_;
    std::optional<uint64_t> doorbells_placed_;
    std::atomic<uint64_t> control_page_ = 0;
    std::mutex control_page_mutex_;
};

}  // namespace farcall::vmm
