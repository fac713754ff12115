// SPDX-License-Identifier: MIT
#include "host-lib/handle_table.h"

#include <cerrno>

#include <farcall/abi.h>

namespace farcall {
namespace {

// A handle is generation (15 bits, never 0) above a 16-bit index, so it is positive as s32 and above the
// fixed ones.
constexpr uint32_t kIndexBits = 16;
constexpr uint32_t kIndexMask = (1u << kIndexBits) - 1;
constexpr uint32_t kMaxGeneration = 0x7fff;

}  // namespace

void HandleTable::set_fixed(uint32_t handle, std::shared_ptr<HostObject> object) {
    if (fixed_.size() <= handle) fixed_.resize(handle + 1);
    fixed_[handle] = std::move(object);
}

HandleTable::~HandleTable() {
    if (budget_ != nullptr) budget_->give(slots_.size() - free_.size());
}

int64_t HandleTable::add(std::shared_ptr<HostObject> object) {
    if (full()) return -EMFILE;
    if (budget_ != nullptr && !budget_->take(1)) return -ENFILE;
    if (free_.empty()) {
        free_.push_back(static_cast<uint32_t>(slots_.size()));
        slots_.emplace_back();
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    slots_[index].object = std::move(object);
    return static_cast<int64_t>(slots_[index].generation) << kIndexBits | index;
}

const std::shared_ptr<HostObject>& HandleTable::find(uint64_t handle) const {
    if (handle < FC_FIRST_HANDLE) return handle < fixed_.size() ? fixed_[handle] : none_;
    const uint64_t index = handle & kIndexMask;
    if (index >= slots_.size() || slots_[index].generation != handle >> kIndexBits) return none_;
    return slots_[index].object;
}

std::shared_ptr<HostObject> HandleTable::remove(uint64_t handle) {
    if (handle < FC_FIRST_HANDLE || find(handle) == nullptr) return nullptr;
    const auto index = static_cast<uint32_t>(handle & kIndexMask);
    Slot& slot = slots_[index];
    slot.generation = slot.generation == kMaxGeneration ? 1 : slot.generation + 1;
    free_.push_back(index);
    if (budget_ != nullptr) budget_->give(1);
    return std::move(slot.object);
}

std::vector<std::shared_ptr<HostObject>> HandleTable::keep_only(
    const std::function<bool(uint32_t handle)>& wanted) {
    std::vector<std::shared_ptr<HostObject>> dropped;
    for (uint32_t i = 0; i < slots_.size(); i++) {
        const uint32_t handle = slots_[i].generation << kIndexBits | i;
        if (slots_[i].object != nullptr && !wanted(handle)) dropped.push_back(remove(handle));
    }
    return dropped;
}

}  // namespace farcall
