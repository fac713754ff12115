// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "host-lib/guest_memory.h"
#include "host-lib/unique_fd.h"

namespace farcall::vmm {

class Vm;

enum class MemoryBacking { kAnonymous, kMemfd };

/// The guest's RAM: one host mapping, used in place by vCPUs, loaders and the engine. RAM beyond the 32-bit
/// hole continues above it. Immutable after construction; must outlive everything that was given its
/// addresses.
class GuestRam {
  public:
    /// `bytes` is rounded up to whole MiB. Throws farcall::Error when it is out of bounds or the host has too
    /// little.
    GuestRam(uint64_t bytes, MemoryBacking backing);
    ~GuestRam();
    GuestRam(const GuestRam&) = delete;
    GuestRam& operator=(const GuestRam&) = delete;

    uint64_t bytes() const { return bytes_; }
    uint64_t low_bytes() const;   ///< RAM from address 0
    uint64_t high_bytes() const;  ///< RAM from layout::kHoleEnd
    const GuestMemory& memory() const { return memory_; }

    /// Host bytes of [address, address + bytes). Throws farcall::Error naming `what` unless all of it is RAM.
    std::span<std::byte> at(uint64_t address, uint64_t bytes, const char* what) const;
    void write(uint64_t address, const void* data, uint64_t bytes, const char* what) const;

    /// Makes it the VM's memory.
    void attach(Vm& vm) const;

  private:
    uint64_t bytes_ = 0;
    uint64_t mapped_bytes_ = 0;
    std::byte* mapped_ = nullptr;
    std::byte* base_ = nullptr;
    UniqueFd memfd_;
    GuestMemory memory_;
};

/// "512M", "2G", "1048576K" or plain MiB. Throws farcall::Error for anything else.
uint64_t parse_memory_size(const std::string& text);

}  // namespace farcall::vmm
