// SPDX-License-Identifier: MIT
#include "guest-lib/preload/slot.h"

#include <linux/mman.h>

#include <initializer_list>

#include "guest-lib/preload/code.h"

namespace farcall::preload {

namespace {

constexpr u64 kOwnPages = 64;  // as long as fc_slots is in entry.S
constexpr u64 kReach = (1UL << 31) - (1UL << 20);

u64 own_pages_used = 0;  // a bit each; under the caller's lock

u64 own_area() {
    return reinterpret_cast<u64>(fc_slots);
}

bool reaches(u64 a, u64 b) {
    return (a > b ? a - b : b - a) < kReach;
}

bool map_at(u64 address, u64 pages, int flags) {
    return sys::call(__NR_mmap, address, pages * kPageBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0) == static_cast<i64>(address);
}

u64 bits(u64 pages, u64 first) {
    return (pages == 64 ? ~0UL : (1UL << pages) - 1) << first;
}

bool get_own(u64 pages, SlotPages& out) {
    for (u64 first = 0; first + pages <= kOwnPages; first++) {
        if ((own_pages_used & bits(pages, first)) != 0) continue;
        const u64 address = own_area() + first * kPageBytes;
        if (!map_at(address, pages, MAP_FIXED)) return false;
        own_pages_used |= bits(pages, first);
        out = {reinterpret_cast<u8*>(address), pages};
        return true;
    }
    return false;
}

}  // namespace

// Above and below the code, further and further away. A kernel that does not know the flag takes the address
// for a hint.
bool get_near_pages(u64 pages, u64 begin, u64 end, SlotPages& out) {
    const u64 bytes = pages * kPageBytes;
    const u64 low = begin & ~(kPageBytes - 1), high = (end + kPageBytes - 1) & ~(kPageBytes - 1);
    for (u64 away = 16 * kPageBytes; away < kReach / 2; away += away / 4 & ~(kPageBytes - 1)) {
        const u64 below = low > away + bytes ? low - away - bytes : 0;
        for (const u64 address : {below, high + away}) {
            if (address < 16 * kPageBytes || !reaches(address, end) || !reaches(address + bytes, begin))
                continue;
            const i64 got = sys::call(__NR_mmap, address, bytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            if (got == static_cast<i64>(address)) {
                out = {reinterpret_cast<u8*>(address), pages};
                return true;
            }
            if (!failed(got)) sys::call(__NR_munmap, got, bytes);
        }
    }
    return false;
}

bool get_slots(u64 slots, u64 begin, u64 end, SlotPages& out) {
    const u64 pages = (slots + kSlotsPerPage - 1) / kSlotsPerPage;
    const u64 area_end = own_area() + kOwnPages * kPageBytes;
    if (reaches(begin, area_end) && reaches(end, own_area()) && reaches(begin, own_area()) &&
        reaches(end, area_end) && get_own(pages, out))
        return true;
    return get_near_pages(pages, begin, end, out);
}

bool make_executable(const SlotPages& pages) {
    return sys::call(__NR_mprotect, pages.memory, pages.pages * kPageBytes, PROT_READ | PROT_EXEC) == 0;
}

void put_back(const SlotPages& pages) {
    const u64 offset = reinterpret_cast<u64>(pages.memory) - own_area();
    if (offset >= kOwnPages * kPageBytes) {
        unmap_memory(pages.memory, pages.pages * kPageBytes);
        return;
    }
    // Kept mapped, so that nobody else gets a piece of this library's image.
    if (map_at(reinterpret_cast<u64>(pages.memory), pages.pages, MAP_FIXED))
        own_pages_used &= ~bits(pages.pages, offset / kPageBytes);
}

bool write_slot(u8* slot, const Site& site, const Object& object, u64 base) {
    const Decoder decoder;
    Code code(slot);
    memset(slot, 0xcc, kSlotBytes);
    if (!copy_moved(code, decoder, object, base, site.patch, site.before)) return false;
    put_filter(code, 20);
    const u64 resume = code.address() + 22;
    code.put(0x48, 0x8d, 0x0d);  // lea resume(%rip),%rcx
    code.put_relative(resume);
    code.put(0x49, 0xbb);  // movabs $fc_entry,%r11
    code.put_word(reinterpret_cast<u64>(&fc_entry));
    code.put(0x41, 0xff, 0xe3);  // jmp *%r11
    code.put(0x0f, 0x05);        // syscall
    const u64 behind = site.call + 2;
    if (!copy_moved(code, decoder, object, base, behind, site.after) || code.used() + 5 > kResumeAt)
        return false;
    const u64 back = base + behind + site.after;
    if (!fits32(back - (code.address() + 5))) return false;
    code.put(0xe9);
    code.put_relative(back);
    const u64 resumes = base + behind;
    memcpy(slot + kResumeAt, &resumes, sizeof(resumes));
    return true;
}

}  // namespace farcall::preload
