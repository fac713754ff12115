// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "host-lib/unique_fd.h"

struct kvm_run;

namespace farcall::vmm {

/// A virtual machine without a kernel: one vCPU that runs a flat program in 64-bit user mode (CPL3) from its
/// first instruction, which is native speed on every KVM, also where kernel mode is emulated. Used to measure
/// rings and exits.
///
/// Memory [0, memory_bytes()) is mapped at the same virtual addresses, all of it readable, writable and
/// executable. There are no interrupts and no exception handlers: a fault ends run() with an Error.
class BareGuest {
  public:
    static constexpr uint64_t kPayloadAddress = 0x100000;  ///< first byte of the image, and the entry point
    static constexpr uint64_t kStackTop = 0x200000;
    static constexpr uint64_t kDataAddress = 0x200000;  ///< memory from here on is the caller's
    static constexpr uint64_t kDoorbellAddress = 0xd0000000;
    static constexpr uint64_t kExitAddress =
        0xd0001000;                               ///< a store here exits to user space and nothing else
    static constexpr uint16_t kPortDone = 0x510;  ///< OUT ends run(), which returns the value
    static constexpr uint16_t kPortExit = 0x514;  ///< OUT exits to user space and nothing else

    /// Loads `image`; its program finds `argument` in rdi. memory_bytes: a multiple of 2 MiB, at most 1 GiB.
    /// Throws farcall::Error: no /dev/kvm, no permission, a capability that is missing, no memory.
    BareGuest(std::span<const std::byte> image, uint64_t memory_bytes, uint64_t argument);
    BareGuest(const BareGuest&) = delete;
    BareGuest& operator=(const BareGuest&) = delete;

    /// Host view of guest memory; valid as long as this object.
    std::byte* memory() const { return static_cast<std::byte*>(memory_.data); }
    uint64_t memory_bytes() const { return memory_.bytes; }

    /// From now on a 32-bit store to kDoorbellAddress signals `eventfd` without leaving KVM; it replaces the
    /// one before. eventfd -1 removes it. Throws farcall::Error.
    void set_doorbell(int eventfd);

    /// Runs until the program writes to kPortDone and returns what it wrote; the next call goes on behind
    /// that. Always call it from the same thread. Throws farcall::Error when the program faults or does what
    /// it must not.
    uint32_t run();

    /// Exits to user space so far.
    uint64_t exits() const { return exits_; }

  private:
    struct Mapping {
        ~Mapping();
        void* data = nullptr;
        size_t bytes = 0;
    };

    void map_memory(uint64_t bytes);
    void create_vcpu();
    void build_page_tables();
    void set_cpuid();
    void set_registers(uint64_t argument);
    bool handle_io(uint32_t& value) const;

    UniqueFd kvm_;
    UniqueFd vm_;
    Mapping memory_;
    UniqueFd vcpu_;
    Mapping run_mapping_;
    kvm_run* run_ = nullptr;
    int doorbell_ = -1;
    uint64_t exits_ = 0;
};

}  // namespace farcall::vmm
