// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vmm/guest_ram.h"
#include "vmm/input_file.h"

namespace farcall::vmm {

enum class BootProtocol {
    kLinux64,  ///< long mode at `entry`, rsi = layout::kBootParams
    kPvh       ///< 32-bit protected mode at `entry`, ebx = layout::kPvhStartInfo
};

/// A kernel whose code is in guest RAM.
struct LoadedKernel {
    BootProtocol protocol = BootProtocol::kPvh;
    uint64_t entry = 0;  ///< guest-physical address of the first instruction
    uint64_t begin = 0;  ///< RAM that the kernel uses before it has a memory map of its own: [begin, end)
    uint64_t end = 0;
    uint64_t initrd_limit = 0;            ///< the initrd must end at or below this address
    uint64_t command_line_max = 0;        ///< bytes without the NUL
    std::vector<std::byte> setup_header;  ///< kLinux64: bytes of struct boot_params from offset 0x1f1
};

/// Where the initrd lies; bytes 0: there is none.
struct InitrdPlace {
    uint64_t address = 0;
    uint64_t bytes = 0;
};

/// Loads an uncompressed vmlinux with a PVH entry, or a bzImage. Throws farcall::Error with one clear
/// sentence: not a kernel, truncated, too little memory, too old.
LoadedKernel load_kernel(const InputFile& file, const GuestRam& ram);

/// The highest page-aligned place for an initrd. Throws farcall::Error when memory is too small.
InitrdPlace place_initrd(const LoadedKernel& kernel, const GuestRam& ram, uint64_t bytes);

/// Writes the command line and the structure that the boot protocol asks for. ACPI tables lie at
/// layout::kAcpiTables.
void write_boot_information(const LoadedKernel& kernel, const GuestRam& ram, const InitrdPlace& initrd,
                            const std::string& command_line);

namespace detail {
/// A piece of the memory map given to the guest. Type 1 is RAM, 2 reserved, as in e820 and PVH alike.
struct MapEntry {
    uint64_t address;
    uint64_t bytes;
    uint32_t type;
};
std::vector<MapEntry> memory_map(const GuestRam& ram);
LoadedKernel load_bzimage(const InputFile& file, const GuestRam& ram);
LoadedKernel load_vmlinux(const InputFile& file, const GuestRam& ram);
void write_boot_params(const LoadedKernel& kernel, const GuestRam& ram, const InitrdPlace& initrd);
void write_start_info(const GuestRam& ram, const InitrdPlace& initrd);
}  // namespace detail

}  // namespace farcall::vmm
