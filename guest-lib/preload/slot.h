// SPDX-License-Identifier: MIT
// Slots: what patched sites jump to. One slot per site, 128 bytes, in memory that is written before it is
// made executable and never both at once. The slots of one object share no page with those of another, so
// that dlclose can give them back.
#pragma once

#include "guest-lib/preload/scan.h"

namespace farcall::preload {

constexpr u64 kSlotBytes = 128;
constexpr u64 kSlotsPerPage = kPageBytes / kSlotBytes;

/// Whole pages of slots, within reach of one object's code.
struct SlotPages {
    u8* memory = nullptr;
    u64 pages = 0;
    u8* slot(u64 i) const { return memory + i * kSlotBytes; }
};

/// Pages for `slots` slots that code in [begin, end) can jump to, writable and not executable. From this
/// library's own image when that is near: unwinders know what to do there. False: nothing is free near it.
bool get_slots(u64 slots, u64 begin, u64 end, SlotPages& out);
/// The same of whole pages, and never from this library's image.
bool get_near_pages(u64 pages, u64 begin, u64 end, SlotPages& out);
bool make_executable(const SlotPages& pages);
void put_back(const SlotPages& pages);

/// Fills the slot of a site whose object is loaded at `base`; `code` reads the object's original bytes.
/// False: an instruction does not reach what it refers to from there.
bool write_slot(u8* slot, const Site& site, const Object& code, u64 base);

}  // namespace farcall::preload
