// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include <farcall/control.h>

#include "host-lib/unique_fd.h"

namespace farcall::vmm {

struct MsiMessage {
    uint64_t address = 0;
    uint32_t data = 0;
    bool operator==(const MsiMessage&) const = default;
};

/// Where interrupts go: KVM, or a test. Called with the MSI-X table's lock held.
class InterruptSink {
  public:
    virtual ~InterruptSink() = default;
    /// From now on a write to `event_fd` interrupts the guest with `message`; also called when the message
    /// changes.
    virtual void connect(unsigned vector, int event_fd, const MsiMessage& message) = 0;
    /// From now on writes to `event_fd` stay there, to be seen as the vector's pending bit.
    virtual void disconnect(unsigned vector, int event_fd) = 0;
};

/// MSI-X table and pending bits of the offload device. Raising vector v is a write of 8 bytes to fd(v), by
/// any thread at any time: an unmasked vector is delivered by the sink without this class; a masked one stays
/// in the eventfd, is read as pending, and is delivered when it is unmasked. All methods may be called by any
/// thread.
class Msix {
  public:
    static constexpr unsigned kVectors = FC_PCI_VECTORS;
    static constexpr uint64_t kEntryBytes = 16;
    static constexpr uint64_t kTableOffset = 0;
    static constexpr uint64_t kPendingOffset = 0x800;
    static constexpr uint64_t kBarBytes = 0x1000;

    /// `sink` must outlive this object. Throws farcall::Error when out of descriptors.
    explicit Msix(InterruptSink& sink);

    int fd(unsigned vector) const { return vectors_[vector].event.get(); }
    void raise(unsigned vector) const;

    /// The enable and function mask bits of the capability.
    void set_control(bool enabled, bool all_masked);

    /// BAR accesses, any offset and 4 or 8 bytes wide; others read all ones and are ignored.
    uint64_t read(uint64_t offset, unsigned bytes);
    void write(uint64_t offset, unsigned bytes, uint64_t value);

  private:
    struct Vector {
        std::array<uint32_t, 4> entry{0, 0, 0, 1};  // address low, high, data, control; masked after reset
        MsiMessage connected_message;
        bool connected = false;
        UniqueFd event;
    };
    uint32_t read_word(uint64_t offset) const;
    void write_word(uint64_t offset, uint32_t value);
    void update(unsigned vector);
    bool is_pending(const Vector& vector) const;

    InterruptSink& sink_;
    mutable std::mutex mutex_;
    bool enabled_ = false;
    bool all_masked_ = false;
    std::vector<Vector> vectors_;
};

}  // namespace farcall::vmm
