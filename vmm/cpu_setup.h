// SPDX-License-Identifier: MIT
#pragma once

#include "vmm/kvm_api.h"

#include <vector>

#include "vmm/guest_ram.h"
#include "vmm/kernel_loader.h"

namespace farcall::vmm {

/// The CPUID leaves of virtual CPU `index` of `count`: what KVM supports, with this machine's topology, APIC
/// ids and the hypervisor bit, and without nested virtualisation. `tsc_deadline`: KVM emulates the TSC
/// deadline timer.
std::vector<kvm_cpuid_entry2> make_cpuid(const std::vector<kvm_cpuid_entry2>& supported, unsigned index,
                                         unsigned count, bool tsc_deadline);

/// CPUID, MSRs and local APIC of every virtual CPU. Throws farcall::Error.
void set_up_vcpu(int vcpu_fd, const std::vector<kvm_cpuid_entry2>& cpuid);

/// Writes the boot GDT and page tables to guest RAM.
void write_boot_tables(const GuestRam& ram);

/// Registers of the boot CPU, as the kernel's boot protocol wants them. The others wait for the guest's
/// start-up interrupt.
void set_boot_registers(int vcpu_fd, const LoadedKernel& kernel);

}  // namespace farcall::vmm
