// SPDX-License-Identifier: MIT
#include "vmm/io_bus.h"

#include <algorithm>
#include <cstring>

#include "vmm/layout.h"

namespace farcall::vmm {

namespace {

constexpr uint8_t kSleepEnable = 0x20;
constexpr unsigned kSleepTypeShift = 2;

// A clock that is valid, in 24-hour binary mode and never in the middle of an update: a guest that reads 0xff
// here polls for tens of thousands of exits.
uint8_t rtc_register(uint8_t index) {
    switch (index & 0x7f) {
        case 0x0a:
            return 0x26;
        case 0x0b:
            return 0x06;
        case 0x0d:
            return 0x80;
        case 0x07:
        case 0x08:
            return 1;
        default:
            return 0;
    }
}

bool is_com1(uint16_t port) {
    return port >= layout::kPortCom1 && port < layout::kPortCom1 + 8;
}

}  // namespace

uint8_t IoBus::byte_read(uint16_t port) {
    if (is_com1(port)) return serial_.read(port - layout::kPortCom1);
    switch (port) {
        case layout::kPortRtcIndex + 1:
            return rtc_register(rtc_index_);
        case layout::kPortKeyboardData:
        case layout::kPortKeyboardCommand:
        case layout::kPortSleepControl:
        case layout::kPortSleepControl + 1:
            return 0;
        default:
            return 0xff;
    }
}

void IoBus::byte_write(uint16_t port, uint8_t value) {
    if (is_com1(port)) serial_.write(port - layout::kPortCom1, value);
    if (port == layout::kPortRtcIndex) rtc_index_ = value;
    if (port == layout::kPortKeyboardCommand && value == layout::kKeyboardReset)
        stop_.request(StopReason::kReset);
    if (port == layout::kPortSleepControl && (value & kSleepEnable) != 0 &&
        (value >> kSleepTypeShift & 7) == layout::kSleepTypePowerOff) {
        stop_.request(StopReason::kPowerOff);
    }
}

void IoBus::port_read(uint16_t port, std::span<uint8_t> data) {
    uint32_t value = ~0u;
    if (pci_.port_read(port, static_cast<unsigned>(data.size()), value)) {
        std::memcpy(data.data(), &value, std::min(data.size(), sizeof value));
        return;
    }
    for (size_t i = 0; i < data.size(); i++)
        data[i] = byte_read(static_cast<uint16_t>(port + i));
}

void IoBus::port_write(uint16_t port, std::span<const uint8_t> data) {
    uint32_t value = 0;
    std::memcpy(&value, data.data(), std::min(data.size(), sizeof value));
    if (pci_.port_write(port, static_cast<unsigned>(data.size()), value)) return;
    for (size_t i = 0; i < data.size(); i++)
        byte_write(static_cast<uint16_t>(port + i), data[i]);
}

void IoBus::memory_read(uint64_t address, std::span<uint8_t> data) {
    uint64_t value = ~0ull;
    pci_.memory_read(address, static_cast<unsigned>(data.size()), value);
    std::memcpy(data.data(), &value, std::min(data.size(), sizeof value));
}

void IoBus::memory_write(uint64_t address, std::span<const uint8_t> data) {
    uint64_t value = 0;
    std::memcpy(&value, data.data(), std::min(data.size(), sizeof value));
    pci_.memory_write(address, static_cast<unsigned>(data.size()), value);
}

}  // namespace farcall::vmm
