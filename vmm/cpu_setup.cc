// SPDX-License-Identifier: MIT
#include "vmm/cpu_setup.h"

#include <sys/ioctl.h>

#include <array>
#include <bit>
#include <cstring>

#include "host-lib/error.h"
#include "vmm/layout.h"

namespace farcall::vmm {

namespace {

// Selectors of the boot GDT. The 64-bit boot protocol asks for 0x10 and 0x18; the task segment follows.
constexpr uint16_t kCodeSelector = 0x10;
constexpr uint16_t kDataSelector = 0x18;
constexpr uint16_t kTaskSelector = 0x20;

constexpr uint64_t kCr0ProtectedMode = 1u << 0;
constexpr uint64_t kCr0ExtensionType = 1u << 4;
constexpr uint64_t kCr0Paging = 1u << 31;
constexpr uint64_t kCr4PhysicalAddressExtension = 1u << 5;
constexpr uint64_t kEferLongModeEnable = 1u << 8;
constexpr uint64_t kEferLongModeActive = 1u << 10;

constexpr uint32_t kMsrMiscEnable = 0x1a0;
constexpr uint64_t kMiscFastStrings = 1;
constexpr uint32_t kMsrMtrrDefault = 0x2ff;
constexpr uint64_t kMtrrEnabledWriteBack = 1u << 11 | 6;

constexpr uint32_t kBitVmx = 1u << 5;           // 1.ecx
constexpr uint32_t kBitX2Apic = 1u << 21;       // 1.ecx
constexpr uint32_t kBitTscDeadline = 1u << 24;  // 1.ecx
constexpr uint32_t kBitHypervisor = 1u << 31;   // 1.ecx
constexpr uint32_t kBitHtt = 1u << 28;          // 1.edx
constexpr uint32_t kBitSvm = 1u << 2;           // 0x80000001.ecx

// One package, one thread per core: the simplest topology that every kernel reads the same way.
void set_topology(kvm_cpuid_entry2& entry, unsigned index, unsigned count) {
    const auto id_bits = static_cast<uint32_t>(std::bit_width(count - 1));
    switch (entry.function) {
        case 0x4:
            // Bits 31:26: cores in the package; 25:14: threads that share the cache (the last level: all of
            // them).
            if ((entry.eax & 0x1f) != 0) {
                const bool last_level = (entry.eax >> 5 & 7) >= 3;
                const uint32_t sharing = last_level ? (1u << id_bits) - 1 : 0;
                entry.eax = (entry.eax & 0x3fff) | sharing << 14 | (((1u << id_bits) - 1) & 0x3f) << 26;
            }
            break;
        case 0xb:
        case 0x1f:
            entry.ecx = entry.index & 0xff;
            entry.edx = index;
            entry.eax = entry.ebx = 0;
            if (entry.index == 0) entry.ebx = 1, entry.ecx |= 1 << 8;
            if (entry.index == 1) entry.eax = id_bits, entry.ebx = count, entry.ecx |= 2 << 8;
            break;
        case 0x80000008:
            entry.ecx = (entry.ecx & ~0xf0ffu) | id_bits << 12 | (count - 1);
            break;
        case 0x8000001e:
            entry.eax = index;
            entry.ebx = index & 0xff;
            entry.ecx = 0;
            break;
        default:
            break;
    }
}

kvm_segment segment(uint16_t selector, uint8_t type, bool code64) {
    kvm_segment out{};
    out.base = 0;
    out.limit = 0xffffffff;
    out.selector = selector;
    out.type = type;
    out.present = 1;
    out.s = 1;
    out.l = code64 ? 1 : 0;
    out.db = code64 ? 0 : 1;
    out.g = 1;
    return out;
}

}  // namespace

std::vector<kvm_cpuid_entry2> make_cpuid(const std::vector<kvm_cpuid_entry2>& supported, unsigned index,
                                         unsigned count, bool tsc_deadline) {
    std::vector<kvm_cpuid_entry2> out = supported;
    for (kvm_cpuid_entry2& entry : out) {
        if (entry.function == 1) {
            const uint32_t logical = count > 1 ? std::bit_ceil(count) : 1;
            entry.ebx = (entry.ebx & 0x0000ffff) | index << 24 | logical << 16;
            entry.ecx = (entry.ecx & ~kBitVmx) | kBitX2Apic | kBitHypervisor;
            entry.ecx = tsc_deadline ? entry.ecx | kBitTscDeadline : entry.ecx & ~kBitTscDeadline;
            entry.edx = count > 1 ? entry.edx | kBitHtt : entry.edx & ~kBitHtt;
        }
        if (entry.function == 0x80000001) entry.ecx &= ~kBitSvm;
        set_topology(entry, index, count);
    }
    return out;
}

namespace {

void set_cpuid(int vcpu_fd, const std::vector<kvm_cpuid_entry2>& entries) {
    std::vector<std::byte> raw(sizeof(kvm_cpuid2) + entries.size() * sizeof(kvm_cpuid_entry2));
    auto* cpuid = reinterpret_cast<kvm_cpuid2*>(raw.data());
    cpuid->nent = static_cast<uint32_t>(entries.size());
    std::memcpy(cpuid->entries, entries.data(), entries.size() * sizeof(kvm_cpuid_entry2));
    if (::ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid) < 0) throw errno_error("cannot set a virtual CPU's features");
}

void set_msrs(int vcpu_fd) {
    constexpr std::array<kvm_msr_entry, 2> kEntries = {
        {{kMsrMiscEnable, 0, kMiscFastStrings}, {kMsrMtrrDefault, 0, kMtrrEnabledWriteBack}}};
    alignas(kvm_msrs) std::array<std::byte, sizeof(kvm_msrs) + sizeof kEntries> raw{};
    auto* msrs = reinterpret_cast<kvm_msrs*>(raw.data());
    msrs->nmsrs = kEntries.size();
    std::memcpy(msrs->entries, kEntries.data(), sizeof kEntries);
    // A KVM without one of them has that behaviour anyway; the result counts those that were set.
    if (::ioctl(vcpu_fd, KVM_SET_MSRS, msrs) < 0) throw errno_error("cannot set a virtual CPU's registers");
}

void set_local_apic(int vcpu_fd) {
    constexpr size_t kLint0 = 0x350, kLint1 = 0x360;
    constexpr uint32_t kDeliverExtInt = 7u << 8, kDeliverNmi = 4u << 8, kDeliveryMask = 7u << 8;
    kvm_lapic_state apic{};
    if (::ioctl(vcpu_fd, KVM_GET_LAPIC, &apic) < 0)
        throw errno_error("cannot read a virtual CPU's local APIC");
    const auto deliver = [&](size_t offset, uint32_t mode) {
        uint32_t value;
        std::memcpy(&value, apic.regs + offset, sizeof value);
        value = (value & ~kDeliveryMask) | mode;
        std::memcpy(apic.regs + offset, &value, sizeof value);
    };
    deliver(kLint0, kDeliverExtInt);
    deliver(kLint1, kDeliverNmi);
    if (::ioctl(vcpu_fd, KVM_SET_LAPIC, &apic) < 0)
        throw errno_error("cannot set a virtual CPU's local APIC");
}

}  // namespace

void set_up_vcpu(int vcpu_fd, const std::vector<kvm_cpuid_entry2>& cpuid) {
    set_cpuid(vcpu_fd, cpuid);
    set_msrs(vcpu_fd);
    set_local_apic(vcpu_fd);
}

void write_boot_tables(const GuestRam& ram) {
    // null, unused, 64-bit code, data, task: the descriptors behind the selectors above.
    constexpr std::array<uint64_t, 5> kGdt = {0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff,
                                              0x008f8b000000ffff};
    ram.write(layout::kGdt, kGdt.data(), sizeof kGdt, "boot tables");

    constexpr uint64_t kEntries = 512, kPresentWritable = 0x3, kLargePage = 0x80;
    constexpr uint64_t kDirectories = layout::kPageTables + 2 * layout::kPage;
    std::array<uint64_t, kEntries> table{};
    table[0] = (layout::kPageTables + layout::kPage) | kPresentWritable;
    ram.write(layout::kPageTables, table.data(), sizeof table, "boot tables");
    table.fill(0);
    for (uint64_t i = 0; i < layout::kIdentityGiB; i++)
        table[i] = (kDirectories + i * layout::kPage) | kPresentWritable;
    ram.write(layout::kPageTables + layout::kPage, table.data(), sizeof table, "boot tables");
    for (uint64_t i = 0; i < layout::kIdentityGiB; i++) {
        for (uint64_t j = 0; j < kEntries; j++) {
            table[j] = (i * layout::kGiB + j * 2 * layout::kMiB) | kPresentWritable | kLargePage;
        }
        ram.write(kDirectories + i * layout::kPage, table.data(), sizeof table, "boot tables");
    }
}

void set_boot_registers(int vcpu_fd, const LoadedKernel& kernel) {
    const bool long_mode = kernel.protocol == BootProtocol::kLinux64;
    kvm_sregs special{};
    if (::ioctl(vcpu_fd, KVM_GET_SREGS, &special) < 0)
        throw errno_error("cannot read a virtual CPU's registers");
    special.cs = segment(kCodeSelector, 0xb, long_mode);
    special.ds = special.es = special.fs = special.gs = special.ss = segment(kDataSelector, 0x3, false);
    special.tr = segment(kTaskSelector, 0xb, false);
    special.tr.s = 0;
    special.tr.db = 0;
    special.tr.g = 0;
    special.tr.limit = 0x67;
    special.gdt.base = layout::kGdt;
    special.gdt.limit = 5 * 8 - 1;
    special.idt.base = 0;
    special.idt.limit = 0;
    special.cr0 = kCr0ProtectedMode | kCr0ExtensionType;
    special.cr4 = 0;
    special.efer = 0;
    if (long_mode) {
        special.cr0 |= kCr0Paging;
        special.cr3 = layout::kPageTables;
        special.cr4 = kCr4PhysicalAddressExtension;
        special.efer = kEferLongModeEnable | kEferLongModeActive;
    }
    if (::ioctl(vcpu_fd, KVM_SET_SREGS, &special) < 0)
        throw errno_error("cannot set a virtual CPU's registers");

    kvm_regs general{};
    general.rip = kernel.entry;
    general.rflags = 2;
    general.rsp = layout::kBootStack;
    general.rsi = long_mode ? layout::kBootParams : 0;
    general.rbx = long_mode ? 0 : layout::kPvhStartInfo;
    if (::ioctl(vcpu_fd, KVM_SET_REGS, &general) < 0)
        throw errno_error("cannot set a virtual CPU's registers");
}

}  // namespace farcall::vmm
