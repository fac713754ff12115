// SPDX-License-Identifier: MIT
#pragma once

#include "vmm/kvm_api.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host-lib/unique_fd.h"

namespace farcall::vmm {

/// A KVM capability that a Linux guest needs here, with the reason in a few words.
struct Capability {
    unsigned number;
    const char* name;
    const char* why;
};
std::span<const Capability> needed_capabilities();

/// /dev/kvm. Any thread may use it.
class Kvm {
  public:
    /// Throws farcall::Error that says why /dev/kvm cannot be used: absent, no permission, another API
    /// version.
    Kvm();

    int fd() const { return fd_.get(); }
    /// KVM_CHECK_EXTENSION: 0 when absent.
    int extension(unsigned capability) const;
    /// Names (with reasons) of the needed capabilities that this KVM lacks.
    std::vector<std::string> missing() const;
    /// Throws farcall::Error that names what is missing.
    void require_all() const;
    /// KVM_GET_SUPPORTED_CPUID.
    std::vector<kvm_cpuid_entry2> supported_cpuid() const;
    size_t run_bytes() const;

  private:
    UniqueFd fd_;
};

/// One virtual machine's KVM file descriptor with the calls that the monitor makes. Any thread may use it.
class Vm {
  public:
    explicit Vm(const Kvm& kvm);

    int fd() const { return fd_.get(); }
    /// In-kernel local APICs, I/O APIC, PIC and PIT; TSS and identity map pages from layout.h.
    void create_interrupt_controllers();
    void add_memory(uint32_t slot, uint64_t guest_address, uint64_t bytes, void* host);
    UniqueFd create_vcpu(unsigned index);

    /// The next four return 0 or -errno: a guest can make them fail, and that is its own business.
    int assign_irqfd(int event_fd, uint32_t gsi);
    int remove_irqfd(int event_fd, uint32_t gsi);
    int assign_ioeventfd(int event_fd, uint64_t address, uint32_t bytes);
    int remove_ioeventfd(int event_fd, uint64_t address, uint32_t bytes);
    int set_routing(const std::vector<kvm_irq_routing_entry>& entries);

  private:
    UniqueFd fd_;
};

}  // namespace farcall::vmm
