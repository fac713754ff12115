// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

/// Every guest-physical address and I/O port that the monitor decides about. Addresses and sizes in bytes.
namespace farcall::vmm::layout {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kMiB = 1ull << 20;
inline constexpr uint64_t kGiB = 1ull << 30;

// --- low RAM, below 1 MiB
// -------------------------------------------------------------------------------------------
inline constexpr uint64_t kGdt = 0x500;  ///< boot GDT, kGdtEntries of 8
inline constexpr uint64_t kPvhStartInfo =
    0x6000;  ///< PVH: struct hvm_start_info, module list and memory map, one page
inline constexpr uint64_t kBootParams = 0x7000;    ///< bzImage: struct boot_params, one page
inline constexpr uint64_t kBootStack = 0x8ff0;     ///< initial stack pointer
inline constexpr uint64_t kPageTables = 0x9000;    ///< PML4, PDPT and kIdentityGiB page directories
inline constexpr uint64_t kIdentityGiB = 4;        ///< what the boot page tables map, with 2 MiB pages
inline constexpr uint64_t kCommandLine = 0x20000;  ///< NUL-terminated
inline constexpr uint64_t kCommandLineMax = 4096;  ///< with the NUL
inline constexpr uint64_t kLowRamEnd = 0xa0000;  ///< end of conventional memory in the map given to the guest
inline constexpr uint64_t kAcpiTables = 0xe0000;  ///< RSDP first; where firmware would keep it
inline constexpr uint64_t kAcpiTablesEnd = 0x100000;

// --- RAM from 1 MiB
// -------------------------------------------------------------------------------------------------
inline constexpr uint64_t kHighRam = kMiB;  ///< kernels load at or above this
inline constexpr uint64_t kMinMemory = 64 * kMiB;
inline constexpr uint64_t kMaxMemory = 1024 * kGiB;

// --- the 32-bit hole: RAM beyond kHoleStart continues at kHoleEnd
// ---------------------------------------------------
inline constexpr uint64_t kHoleStart = 3 * kGiB;
inline constexpr uint64_t kHoleEnd = 4 * kGiB;
inline constexpr uint64_t kPciWindow = 0xc0000000;  ///< memory window of the PCI host bridge
inline constexpr uint64_t kPciWindowBytes = 0x20000000;
inline constexpr uint64_t kIoApic = 0xfec00000;
inline constexpr uint64_t kLocalApic = 0xfee00000;
inline constexpr uint64_t kIdentityMap = 0xfffbc000;  ///< KVM_SET_IDENTITY_MAP_ADDR, one page
inline constexpr uint64_t kTss = 0xfffbd000;          ///< KVM_SET_TSS_ADDR, three pages

// --- I/O ports
// ------------------------------------------------------------------------------------------------------
inline constexpr uint16_t kPortRtcIndex = 0x70;
inline constexpr uint16_t kPortKeyboardData = 0x60;
inline constexpr uint16_t kPortKeyboardCommand = 0x64;
inline constexpr uint8_t kKeyboardReset = 0xfe;  ///< written to kPortKeyboardCommand: reset the machine
inline constexpr uint16_t kPortCom1 = 0x3f8;
inline constexpr uint16_t kPortSleepControl = 0x600;  ///< ACPI sleep control; the status register follows it
inline constexpr uint8_t kSleepTypePowerOff = 5;      ///< what \_S5 names
inline constexpr uint16_t kPortPciAddress = 0xcf8;
inline constexpr uint16_t kPortPciData = 0xcfc;

// --- interrupts
// -----------------------------------------------------------------------------------------------------
inline constexpr unsigned kIoApicPins = 24;
inline constexpr unsigned kGsiCom1 = 4;
inline constexpr unsigned kGsiMsiFirst = 32;  ///< first global interrupt number of the MSI-X vectors
inline constexpr unsigned kMaxCpus = 128;     ///< 8-bit APIC ids in the MADT, with room to spare

}  // namespace farcall::vmm::layout
