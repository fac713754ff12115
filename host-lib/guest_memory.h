// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <farcall/control.h>

namespace farcall {

/// The memory that a transport's addresses mean: guest-physical memory of a VM, or a client's memfd. The one
/// place where addresses from the other side become host pointers. Built before use, then immutable: any
/// thread may translate.
class GuestMemory {
  public:
    /// Addresses [base, base + bytes) live at `host`. Windows must not overlap; the memory must outlive this
    /// object.
    void add_window(uint64_t base, uint64_t bytes, std::byte* host);

    /// Host pointer of [address, address + bytes), or nullptr unless all of it lies in one window. bytes 0
    /// gives nullptr.
    std::byte* translate(uint64_t address, uint64_t bytes) const;

  private:
    struct Window {
        uint64_t base;
        uint64_t bytes;
        std::byte* host;
    };
    std::vector<Window> windows_;
};

/// A piece of host memory that backs part of a region.
struct HostSegment {
    std::byte* data;
    uint64_t bytes;
};

/// Translates an array of `count` segments that lies at `list_address` in guest memory. Each element is
/// copied once. Returns 0 and fills `out`, or -EINVAL (count), -EFAULT (an address).
int translate_segments(const GuestMemory& memory, uint64_t list_address, uint64_t count,
                       std::vector<HostSegment>& out);

}  // namespace farcall
