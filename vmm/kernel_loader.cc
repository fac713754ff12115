// SPDX-License-Identifier: MIT
#include "vmm/kernel_loader.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "host-lib/error.h"
#include "vmm/layout.h"

namespace farcall::vmm {

namespace detail {

std::vector<MapEntry> memory_map(const GuestRam& ram) {
    std::vector<MapEntry> map = {
        {0, layout::kLowRamEnd, 1},
        {layout::kAcpiTables, layout::kAcpiTablesEnd - layout::kAcpiTables, 2},
        {layout::kHighRam, ram.low_bytes() - layout::kHighRam, 1},
    };
    if (ram.high_bytes() != 0) map.push_back({layout::kHoleEnd, ram.high_bytes(), 1});
    return map;
}

}  // namespace detail

LoadedKernel load_kernel(const InputFile& file, const GuestRam& ram) {
    std::array<std::byte, 4> magic{};
    file.read(0, magic);
    if (std::memcmp(magic.data(), ELFMAG, SELFMAG) == 0) return detail::load_vmlinux(file, ram);
    constexpr uint64_t kHeaderMagic = 0x202;
    if (file.bytes() >= kHeaderMagic + magic.size()) {
        file.read(kHeaderMagic, magic);
        if (std::memcmp(magic.data(), "HdrS", 4) == 0) return detail::load_bzimage(file, ram);
    }
    throw Error(fmt::format("'{}' is not a Linux kernel: neither a bzImage nor an uncompressed vmlinux",
                            file.path()));
}

InitrdPlace place_initrd(const LoadedKernel& kernel, const GuestRam& ram, uint64_t bytes) {
    if (bytes == 0) return {};
    const uint64_t limit = std::min(kernel.initrd_limit, ram.low_bytes());
    const uint64_t lowest = std::max(kernel.end, layout::kHighRam);
    if (bytes > limit || limit - bytes < lowest) {
        throw Error(fmt::format(
            "too little guest memory: {} MiB do not hold the kernel and an initial RAM disk of {} MiB",
            ram.bytes() / layout::kMiB, bytes / layout::kMiB + 1));
    }
    const uint64_t address = (limit - bytes) / layout::kPage * layout::kPage;
    if (address < lowest) throw Error("too little guest memory for the kernel and its initial RAM disk");
    return {address, bytes};
}

void write_boot_information(const LoadedKernel& kernel, const GuestRam& ram, const InitrdPlace& initrd,
                            const std::string& command_line) {
    const uint64_t room = std::min(kernel.command_line_max, layout::kCommandLineMax - 1);
    if (command_line.size() > room) {
        throw Error(fmt::format("the kernel command line has {} bytes; this kernel takes {}",
                                command_line.size(), room));
    }
    ram.write(layout::kCommandLine, command_line.c_str(), command_line.size() + 1, "kernel command line");
    if (kernel.protocol == BootProtocol::kPvh) {
        detail::write_start_info(ram, initrd);
    } else {
        detail::write_boot_params(kernel, ram, initrd);
    }
}

}  // namespace farcall::vmm
