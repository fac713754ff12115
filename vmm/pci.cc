// SPDX-License-Identifier: MIT
#include "vmm/pci.h"

#include "vmm/layout.h"

namespace farcall::vmm {

namespace {

constexpr unsigned kCommand = 0x04;
constexpr uint16_t kCommandMemory = 0x2;
constexpr uint16_t kCommandWritable = 0x0406;  // memory, bus master, interrupt disable
constexpr unsigned kStatus = 0x06;
constexpr uint16_t kStatusCapabilities = 0x10;
constexpr unsigned kBar0 = 0x10;
constexpr unsigned kSubsystem = 0x2c;
constexpr unsigned kCapabilities = 0x34;
constexpr unsigned kInterruptLine = 0x3c;
constexpr unsigned kMsixCapability = 0x40;
constexpr uint16_t kMsixEnable = 0x8000;
constexpr uint16_t kMsixAllMasked = 0x4000;
constexpr uint32_t kEnableConfig = 0x80000000;

}  // namespace

PciConfig::PciConfig(uint16_t vendor, uint16_t device, uint32_t class_code, uint8_t revision) {
    put(0, 4, static_cast<uint32_t>(device) << 16 | vendor, 0);
    put(kCommand, 2, 0, kCommandWritable);
    put(8, 4, class_code << 8 | revision, 0);
    put(0xc, 4, 0, 0xff);  // cache line size: software's own
    put(kSubsystem, 4, static_cast<uint32_t>(device) << 16 | vendor, 0);
    put(kInterruptLine, 1, 0, 0xff);
}

void PciConfig::put(unsigned offset, unsigned bytes, uint32_t value, uint32_t writable) {
    for (unsigned i = 0; i < bytes; i++) {
        data_[offset + i] = static_cast<uint8_t>(value >> (8 * i));
        writable_[offset + i] = static_cast<uint8_t>(writable >> (8 * i));
    }
}

void PciConfig::add_memory_bar(unsigned index, uint32_t bytes, uint32_t address) {
    bar_bytes_[index] = bytes;
    put(kBar0 + 4 * index, 4, address, ~(bytes - 1));  // the low bits say: 32-bit, memory, not prefetchable
    put(kCommand, 2, kCommandMemory, kCommandWritable);
}

void PciConfig::add_msix(unsigned vectors, unsigned bar, uint32_t table_offset, uint32_t pending_offset) {
    msix_offset_ = kMsixCapability;
    put(kStatus, 2, kStatusCapabilities, 0);
    put(kCapabilities, 1, kMsixCapability, 0);
    put(kMsixCapability, 2, 0x0011, 0);  // MSI-X, last capability
    put(kMsixCapability + 2, 2, vectors - 1, kMsixEnable | kMsixAllMasked);
    put(kMsixCapability + 4, 4, table_offset | bar, 0);
    put(kMsixCapability + 8, 4, pending_offset | bar, 0);
}

uint32_t PciConfig::read(unsigned offset, unsigned bytes) const {
    if (offset >= kBytes || bytes > kBytes - offset) return ~0u;
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= static_cast<uint32_t>(data_[offset + i]) << (8 * i);
    return value;
}

void PciConfig::write(unsigned offset, unsigned bytes, uint32_t value) {
    if (offset >= kBytes || bytes > kBytes - offset) return;
    for (unsigned i = 0; i < bytes; i++) {
        const auto byte = static_cast<uint8_t>(value >> (8 * i));
        const uint8_t mask = writable_[offset + i];
        data_[offset + i] = static_cast<uint8_t>((data_[offset + i] & ~mask) | (byte & mask));
    }
}

std::optional<uint64_t> PciConfig::bar_address(unsigned index) const {
    if (index >= kBars || bar_bytes_[index] == 0 || (read(kCommand, 2) & kCommandMemory) == 0)
        return std::nullopt;
    return read(kBar0 + 4 * index, 4) & ~(bar_bytes_[index] - 1);
}

bool PciConfig::msix_enabled() const {
    return msix_offset_ != 0 && (read(msix_offset_ + 2, 2) & kMsixEnable) != 0;
}

bool PciConfig::msix_all_masked() const {
    return msix_offset_ != 0 && (read(msix_offset_ + 2, 2) & kMsixAllMasked) != 0;
}

PciDevice* PciBus::selected() const {
    if ((address_ & kEnableConfig) == 0) return nullptr;
    const unsigned bus = address_ >> 16 & 0xff, slot = address_ >> 11 & 0x1f, function = address_ >> 8 & 7;
    return bus == 0 && function == 0 && slot < devices_.size() ? devices_[slot] : nullptr;
}

bool PciBus::port_read(uint16_t port, unsigned bytes, uint32_t& value) {
    const std::scoped_lock lock(mutex_);
    if (port == layout::kPortPciAddress && bytes == 4) {
        value = address_;
        return true;
    }
    if (port < layout::kPortPciData || port + bytes > layout::kPortPciData + 4) return false;
    PciDevice* device = selected();
    value = device == nullptr ? ~0u : device->config().read((address_ & 0xfc) + (port & 3u), bytes);
    return true;
}

bool PciBus::port_write(uint16_t port, unsigned bytes, uint32_t value) {
    const std::scoped_lock lock(mutex_);
    if (port == layout::kPortPciAddress && bytes == 4) {
        address_ = value;
        return true;
    }
    if (port < layout::kPortPciData || port + bytes > layout::kPortPciData + 4) return false;
    PciDevice* device = selected();
    if (device != nullptr) {
        device->config().write((address_ & 0xfc) + (port & 3u), bytes, value);
        device->config_changed();
    }
    return true;
}

PciBus::Target PciBus::find(uint64_t address, unsigned bytes) {
    const std::scoped_lock lock(mutex_);
    for (PciDevice* device : devices_) {
        for (unsigned bar = 0; bar < PciConfig::kBars; bar++) {
            const auto base = device->config().bar_address(bar);
            const uint64_t size = device->config().bar_bytes(bar);
            if (base && address >= *base && address - *base < size && bytes <= size - (address - *base)) {
                return {device, bar, address - *base};
            }
        }
    }
    return {};
}

// The device is called without the bus's lock: its BARs have their own, and MSI-X updates go to the kernel.
bool PciBus::memory_read(uint64_t address, unsigned bytes, uint64_t& value) {
    const Target target = find(address, bytes);
    if (target.device == nullptr) return false;
    value = target.device->bar_read(target.bar, target.offset, bytes);
    return true;
}

bool PciBus::memory_write(uint64_t address, unsigned bytes, uint64_t value) {
    const Target target = find(address, bytes);
    if (target.device == nullptr) return false;
    target.device->bar_write(target.bar, target.offset, bytes, value);
    return true;
}

HostBridge::HostBridge() : config_(0xfca1, 0x0000, 0x060000, 0) {}

}  // namespace farcall::vmm
