// SPDX-License-Identifier: MIT
#include "vmm/offload_device.h"

#include <unistd.h>

#include <bit>

#include "vmm/layout.h"

namespace farcall::vmm {

namespace {

constexpr uint32_t kClassCode = 0xff0000;  // does not fit a defined class
constexpr uint8_t kRevision = FC_ABI_VERSION;

// Where the BARs are when the guest starts: one after the other in the bridge's window.
constexpr auto kRegistersAddress = static_cast<uint32_t>(layout::kPciWindow);
constexpr auto kMsixAddress = kRegistersAddress + FC_REG_BYTES;
static_assert(FC_REG_BYTES == Msix::kBarBytes);

uint32_t doorbell_bytes(unsigned workers) {
    return std::bit_ceil(workers) * static_cast<uint32_t>(layout::kPage);
}

// A BAR is aligned to its own size.
uint32_t doorbell_address(unsigned workers) {
    return kRegistersAddress + std::max<uint32_t>(doorbell_bytes(workers), 2 * FC_REG_BYTES);
}

}  // namespace

OffloadDevice::OffloadDevice(const Parts& parts)
    : parts_(parts),
      config_(FC_PCI_VENDOR, FC_PCI_DEVICE, kClassCode, kRevision),
      msix_(parts.interrupts),
      requests_({parts.memory, parts.domain, msix_,
                 [this](int status) { parts_.stop.request(StopReason::kGuestExit, status); }}) {
    const unsigned workers = parts.engine.worker_count();
    config_.add_memory_bar(FC_PCI_BAR_REGISTERS, FC_REG_BYTES, kRegistersAddress);
    config_.add_memory_bar(FC_PCI_BAR_DOORBELLS, doorbell_bytes(workers), doorbell_address(workers));
    config_.add_memory_bar(FC_PCI_BAR_MSIX, Msix::kBarBytes, kMsixAddress);
    config_.add_msix(FC_PCI_VECTORS, FC_PCI_BAR_MSIX, Msix::kTableOffset, Msix::kPendingOffset);
    config_changed();
}

void OffloadDevice::config_changed() {
    msix_.set_control(config_.msix_enabled(), config_.msix_all_masked());
    // While decoding is off the old place stays: sizing a BAR must not cost two moves, and nobody rings then.
    const auto address = config_.bar_address(FC_PCI_BAR_DOORBELLS);
    if (address && address != doorbells_placed_) {
        doorbells_placed_ = address;
        parts_.doorbells.place(*address);
    }
}

uint64_t OffloadDevice::bar_read(unsigned bar, uint64_t offset, unsigned bytes) {
    if (bar == FC_PCI_BAR_MSIX) return msix_.read(offset, bytes);
    if (bar == FC_PCI_BAR_REGISTERS && bytes == 4 && offset % 4 == 0) return register_read(offset);
    return bar == FC_PCI_BAR_DOORBELLS ? 0 : ~0ull;
}

void OffloadDevice::bar_write(unsigned bar, uint64_t offset, unsigned bytes, uint64_t value) {
    if (bar == FC_PCI_BAR_MSIX) return msix_.write(offset, bytes, value);
    if (bytes != 4 || offset % 4 != 0) return;
    if (bar == FC_PCI_BAR_REGISTERS) register_write(offset, static_cast<uint32_t>(value));
    if (bar == FC_PCI_BAR_DOORBELLS) ring_doorbell(offset);
}

uint32_t OffloadDevice::register_read(uint64_t offset) {
    switch (offset) {
        case FC_REG_MAGIC:
            return FC_ABI_MAGIC;
        case FC_REG_VERSION:
            return FC_ABI_VERSION;
        case FC_REG_FEATURES_LO:
            return static_cast<uint32_t>(FC_FEATURE_ALL);
        case FC_REG_FEATURES_HI:
            return static_cast<uint32_t>(FC_FEATURE_ALL >> 32);
        case FC_REG_CONTROL_LO:
            return static_cast<uint32_t>(control_page_);
        case FC_REG_CONTROL_HI:
            return static_cast<uint32_t>(control_page_ >> 32);
        case FC_REG_EXITS:
            return parts_.exits ? static_cast<uint32_t>(parts_.exits()) : 0;
        case FC_REG_RESET:
            return requests_.reset_pending() ? 1 : 0;
        default:
            return ~0u;
    }
}

void OffloadDevice::register_write(uint64_t offset, uint32_t value) {
    constexpr uint64_t kLow = 0xffffffff;
    switch (offset) {
        case FC_REG_CONTROL_LO: {
            const std::scoped_lock lock(control_page_mutex_);
            control_page_ = (control_page_ & ~kLow) | value;
            break;
        }
        case FC_REG_CONTROL_HI: {
            const std::scoped_lock lock(control_page_mutex_);
            control_page_ = (control_page_ & kLow) | static_cast<uint64_t>(value) << 32;
            break;
        }
        case FC_REG_CONTROL_POST:
            requests_.post(control_page_, value);
            break;
        case FC_REG_RESET:
            requests_.reset();
            break;
        case FC_REG_VM_EXIT:
            parts_.stop.request(StopReason::kGuestExit, static_cast<int>(value & 0xff));
            break;
        default:
            break;
    }
}

// Only stores that no ioeventfd takes come here: before the doorbells are placed, or where the guest put them
// over something else.
void OffloadDevice::ring_doorbell(uint64_t offset) const {
    const auto worker = static_cast<unsigned>(offset / layout::kPage);
    if (worker >= parts_.engine.worker_count()) return;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(parts_.engine.doorbell_fd(worker), &one, sizeof one);
}

}  // namespace farcall::vmm
