// SPDX-License-Identifier: MIT
#pragma once

#include "vmm/kvm_api.h"

#include <mutex>
#include <vector>

#include "host-lib/unique_fd.h"
#include "vmm/kvm.h"
#include "vmm/msix.h"

namespace farcall::vmm {

/// KVM's interrupt routing: the I/O APIC's pins and PICs as ever, and one global interrupt number per MSI-X
/// vector, with irqfds on them. Any thread.
class KvmInterrupts final : public InterruptSink {
  public:
    /// `vm` must outlive this object and have its interrupt controllers. Throws farcall::Error.
    explicit KvmInterrupts(Vm& vm);

    void connect(unsigned vector, int event_fd, const MsiMessage& message) override;
    void disconnect(unsigned vector, int event_fd) override;

    /// Raises COM1's line once.
    void raise_com1() const;

  private:
    void route(unsigned vector, const MsiMessage& message);

    Vm& vm_;
    std::mutex mutex_;
    UniqueFd com1_;
    std::vector<kvm_irq_routing_entry> fixed_;
    struct Route {
        MsiMessage message;
        bool used = false;
        bool attached = false;
    };
    std::vector<Route> routes_;
};

}  // namespace farcall::vmm
