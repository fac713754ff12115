// SPDX-License-Identifier: MIT
#include "vmm/guest_ram.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "host-lib/error.h"
#include "vmm/kvm.h"
#include "vmm/layout.h"

namespace farcall::vmm {

namespace {
// Guest and host addresses must agree modulo this for KVM to map huge pages.
constexpr uint64_t kHugePage = 2 * layout::kMiB;

Error no_memory(uint64_t bytes) {
    return errno_error(fmt::format("cannot map {} MiB of guest memory", bytes / layout::kMiB));
}
}  // namespace

GuestRam::GuestRam(uint64_t bytes, MemoryBacking backing) {
    if (bytes < layout::kMinMemory || bytes > layout::kMaxMemory) {
        throw Error(fmt::format("guest memory of {} MiB is out of bounds: {} MiB to {} GiB are possible",
                                bytes / layout::kMiB, layout::kMinMemory / layout::kMiB,
                                layout::kMaxMemory / layout::kGiB));
    }
    bytes_ = (bytes + layout::kMiB - 1) / layout::kMiB * layout::kMiB;
    mapped_bytes_ = bytes_ + kHugePage;
    // Reserve with room to align, then map over it: a memfd needs its offset 0 at the aligned address.
    void* reserved =
        ::mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) throw no_memory(bytes_);
    mapped_ = static_cast<std::byte*>(reserved);
    const auto start = reinterpret_cast<uintptr_t>(reserved);
    base_ = mapped_ + ((start + kHugePage - 1) / kHugePage * kHugePage - start);
    int flags = MAP_FIXED | MAP_NORESERVE | MAP_PRIVATE | MAP_ANONYMOUS;
    if (backing == MemoryBacking::kMemfd) {
        memfd_.reset(::memfd_create("farcall-guest", MFD_CLOEXEC));
        if (!memfd_ || ::ftruncate(memfd_.get(), static_cast<off_t>(bytes_)) < 0) throw no_memory(bytes_);
        flags = MAP_FIXED | MAP_NORESERVE | MAP_SHARED;
    }
    if (::mmap(base_, bytes_, PROT_READ | PROT_WRITE, flags, memfd_.get(), 0) == MAP_FAILED)
        throw no_memory(bytes_);
    // Advice only: without huge pages everything works, with more page faults.
    ::madvise(base_, bytes_, MADV_HUGEPAGE);
    // A core dump of the monitor is about the monitor.
    ::madvise(base_, bytes_, MADV_DONTDUMP);
    memory_.add_window(0, low_bytes(), base_);
    if (high_bytes() != 0) memory_.add_window(layout::kHoleEnd, high_bytes(), base_ + layout::kHoleStart);
}

GuestRam::~GuestRam() {
    if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
}

uint64_t GuestRam::low_bytes() const {
    return std::min(bytes_, layout::kHoleStart);
}

uint64_t GuestRam::high_bytes() const {
    return bytes_ - low_bytes();
}

std::span<std::byte> GuestRam::at(uint64_t address, uint64_t bytes, const char* what) const {
    std::byte* host = memory_.translate(address, bytes);
    if (host == nullptr) {
        throw Error(fmt::format("too little guest memory: {} MiB do not hold the {} ({} KiB at {:#x})",
                                bytes_ / layout::kMiB, what, bytes / 1024, address));
    }
    return {host, bytes};
}

void GuestRam::write(uint64_t address, const void* data, uint64_t bytes, const char* what) const {
    if (bytes == 0) return;
    std::memcpy(at(address, bytes, what).data(), data, bytes);
}

void GuestRam::attach(Vm& vm) const {
    vm.add_memory(0, 0, low_bytes(), base_);
    if (high_bytes() != 0) vm.add_memory(1, layout::kHoleEnd, high_bytes(), base_ + layout::kHoleStart);
}

uint64_t parse_memory_size(const std::string& text) {
    uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, number);
    uint64_t unit = 0;
    const std::string_view suffix(rest, static_cast<size_t>(end - rest));
    if (suffix == "K" || suffix == "k") unit = 1024;
    if (suffix.empty() || suffix == "M" || suffix == "m") unit = layout::kMiB;
    if (suffix == "G" || suffix == "g") unit = layout::kGiB;
    if (problem != std::errc() || unit == 0 || number > layout::kMaxMemory / unit) {
        throw Error(fmt::format("'{}' is not a size of memory such as 512M or 2G", text));
    }
    return number * unit;
}

}  // namespace farcall::vmm
