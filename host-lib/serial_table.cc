// SPDX-License-Identifier: MIT
#include "host-lib/serial_table.h"

namespace farcall {
namespace {

constexpr uint32_t kMaxSerial = (1u << (64 - FC_ID_BITS)) - 1;
/// A serial that used up as many is not given out again, so that its next client does not run short.
constexpr uint64_t kWornOut = FC_ID_NUMBER_MASK / 2;

}  // namespace

std::optional<SerialTable::Taken> SerialTable::take() {
    const std::scoped_lock lock(mutex_);
    uint32_t serial = 0;
    if (freed_.size() > kRest || (slots_.size() >= kMaxSerial && !freed_.empty())) {
        serial = freed_.front();
        freed_.pop_front();
    } else if (slots_.size() < kMaxSerial) {
        slots_.push_back({FC_ID_BLOCK, 0});
        serial = static_cast<uint32_t>(slots_.size());
    } else {
        return std::nullopt;
    }
    return Taken{serial, slots_[serial - 1].next_number};
}

void SerialTable::set_client(uint32_t serial, ClientId client) {
    const std::scoped_lock lock(mutex_);
    slots_[serial - 1].client = client;
}

ClientId SerialTable::client(uint32_t serial) const {
    const std::scoped_lock lock(mutex_);
    return serial == 0 || serial > slots_.size() ? 0 : slots_[serial - 1].client;
}

void SerialTable::give_back(uint32_t serial, uint64_t next_number) {
    const std::scoped_lock lock(mutex_);
    slots_[serial - 1] = {next_number, 0};
    if (next_number < kWornOut) freed_.push_back(serial);
}

}  // namespace farcall
