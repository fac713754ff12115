// SPDX-License-Identifier: MIT
// The 64-bit boot protocol of Documentation/arch/x86/boot.rst.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "host-lib/error.h"
#include "vmm/kernel_loader.h"
#include "vmm/layout.h"

namespace farcall::vmm::detail {

namespace {

// Offsets in the file and in struct boot_params alike.
constexpr uint64_t kSetupSectors = 0x1f1;
constexpr uint64_t kJump = 0x200;  // the byte after it gives the header's end
constexpr uint64_t kVersion = 0x206;
constexpr uint64_t kTypeOfLoader = 0x210;
constexpr uint64_t kLoadFlags = 0x211;
constexpr uint64_t kRamdiskImage = 0x218;
constexpr uint64_t kRamdiskSize = 0x21c;
constexpr uint64_t kCommandLinePointer = 0x228;
constexpr uint64_t kInitrdMax = 0x22c;
constexpr uint64_t kAlignment = 0x230;
constexpr uint64_t kRelocatable = 0x234;
constexpr uint64_t kXLoadFlags = 0x236;
constexpr uint64_t kCommandLineSize = 0x238;
constexpr uint64_t kPreferredAddress = 0x258;
constexpr uint64_t kInitSize = 0x260;
constexpr uint64_t kHeaderEnd = 0x264;
constexpr uint64_t kHeaderMax = 0x290;  // where boot_params goes on with something else
// Only in struct boot_params.
constexpr uint64_t kAcpiRsdp = 0x70;
constexpr uint64_t kE820Count = 0x1e8;
constexpr uint64_t kE820Table = 0x2d0;
constexpr uint64_t kE820Entry = 20;

constexpr uint16_t kMinVersion = 0x20c;  // 64-bit entry and xloadflags
constexpr uint8_t kUnknownLoader = 0xff;
constexpr uint8_t kLoadedHigh = 0x01;
constexpr uint16_t kKernel64 = 0x0001;
constexpr uint64_t kEntry64 = 0x200;

template <typename T>
void put(std::span<std::byte> page, uint64_t offset, T value) {
    std::memcpy(page.data() + offset, &value, sizeof value);
}

}  // namespace

LoadedKernel load_bzimage(const InputFile& file, const GuestRam& ram) {
    const auto bad = [&](const char* why) {
        return Error(fmt::format("the kernel '{}' {}", file.path(), why));
    };
    if (file.read_struct<uint16_t>(kVersion) < kMinVersion)
        throw bad("speaks a boot protocol older than 2.12");
    if ((file.read_struct<uint16_t>(kXLoadFlags) & kKernel64) == 0) throw bad("has no 64-bit entry point");
    if ((file.read_struct<uint8_t>(kLoadFlags) & kLoadedHigh) == 0) throw bad("is a zImage, not a bzImage");

    const uint8_t sectors = file.read_struct<uint8_t>(kSetupSectors);
    const uint64_t setup_bytes = ((sectors == 0 ? 4u : sectors) + 1u) * 512ull;
    if (file.bytes() <= setup_bytes + kEntry64) throw bad("is truncated: it ends inside its setup code");
    const uint64_t code_bytes = file.bytes() - setup_bytes;

    LoadedKernel kernel;
    kernel.protocol = BootProtocol::kLinux64;
    kernel.begin = file.read_struct<uint64_t>(kPreferredAddress);
    const auto alignment = file.read_struct<uint32_t>(kAlignment);
    const bool relocatable = file.read_struct<uint8_t>(kRelocatable) != 0;
    if (kernel.begin < layout::kHighRam || kernel.begin >= layout::kHoleStart)
        throw bad("has a bad load address");
    if (relocatable && (alignment == 0 || kernel.begin % alignment != 0)) throw bad("has a bad alignment");
    const uint64_t init_bytes = std::max<uint64_t>(file.read_struct<uint32_t>(kInitSize), code_bytes);
    kernel.end = kernel.begin + init_bytes;
    kernel.entry = kernel.begin + kEntry64;
    kernel.initrd_limit = file.read_struct<uint32_t>(kInitrdMax) + 1ull;
    kernel.command_line_max = file.read_struct<uint32_t>(kCommandLineSize);
    file.read(setup_bytes, ram.at(kernel.begin, init_bytes, "kernel").first(code_bytes));

    const uint64_t header_end = kJump + 2 + file.read_struct<uint8_t>(kJump + 1);
    kernel.setup_header.resize(std::clamp(header_end, kHeaderEnd, kHeaderMax) - kSetupSectors);
    file.read(kSetupSectors, kernel.setup_header);
    return kernel;
}

void write_boot_params(const LoadedKernel& kernel, const GuestRam& ram, const InitrdPlace& initrd) {
    const auto page = ram.at(layout::kBootParams, layout::kPage, "boot parameters");
    std::fill(page.begin(), page.end(), std::byte{0});
    std::copy(kernel.setup_header.begin(), kernel.setup_header.end(), page.begin() + kSetupSectors);
    put<uint8_t>(page, kTypeOfLoader, kUnknownLoader);
    put<uint32_t>(page, kCommandLinePointer, static_cast<uint32_t>(layout::kCommandLine));
    put<uint32_t>(page, kRamdiskImage, static_cast<uint32_t>(initrd.address));
    put<uint32_t>(page, kRamdiskSize, static_cast<uint32_t>(initrd.bytes));
    put<uint64_t>(page, kAcpiRsdp, layout::kAcpiTables);
    const auto map = memory_map(ram);
    put<uint8_t>(page, kE820Count, static_cast<uint8_t>(map.size()));
    for (size_t i = 0; i < map.size(); i++) {
        put<uint64_t>(page, kE820Table + i * kE820Entry, map[i].address);
        put<uint64_t>(page, kE820Table + i * kE820Entry + 8, map[i].bytes);
        put<uint32_t>(page, kE820Table + i * kE820Entry + 16, map[i].type);
    }
}

}  // namespace farcall::vmm::detail
