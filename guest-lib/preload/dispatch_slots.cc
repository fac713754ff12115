// SPDX-License-Identifier: MIT
#include "guest-lib/preload/dispatch_slots.h"

#include "guest-lib/preload/code.h"
#include "guest-lib/preload/patch.h"

extern "C" void fc_child();

namespace farcall::preload {

namespace {

constexpr u64 kTrapBytes = 8;
constexpr u64 kMaxSites = 1000;

struct Served {
    u64 behind;  // the site, where the program goes on
    u64 call;    // the slot's own system call
    u64 spawn;   // and the one after which a child is dispatched as well
};

// In the order of their addresses; written before the program runs.
Served served[kMaxSites];
u64 served_count = 0;
SlotPages traps;

/// The call is made, and a child that it makes goes through fc_child first.
void write_spawn(u8* slot, u64 resume) {
    Code code(slot);
    memset(slot, 0xcc, kSlotBytes);
    code.put(0x0f, 0x05);  // syscall
    code.put(0x89, 0xc1);  // mov %eax,%ecx
    code.put(0xe3, 5);     // jrcxz to the child's way
    code.put(0xe9);        // jmp resume
    code.put_relative(resume);
    code.put(0x48, 0xc7, 0xc1);  // mov $resume,%rcx
    put32(code.here(), resume);
    code.skip(4);
    code.put(0xe9);  // jmp fc_child
    code.put_relative(reinterpret_cast<u64>(&fc_child));
}

void write_trap(u8* trap, u64 resume) {
    Code code(trap);
    code.put(0x0f, 0x05, 0xe9);  // syscall; jmp resume
    code.put_relative(resume);
}

/// Fills in where the slot's call is and where it goes on.
bool write_serving_slot(u8* slot, u64 trap, Site& site, const Object& object, u64 base, u64& call,
                        u64& resume) {
    const Decoder decoder;
    Code code(slot);
    memset(slot, 0xcc, kSlotBytes);
    const u64 behind = base + site.call + 2;
    if (site.way != Way::kNone) {
        if (!copy_moved(code, decoder, object, base, site.patch, site.before)) return false;
        put_filter(code, 5);
        code.put(0xe9);  // jmp trap
        code.put_relative(trap);
    }
    call = code.address();
    code.put(0x0f, 0x05);  // syscall
    resume = code.address();
    if (site.way != Way::kNone && !copy_moved(code, decoder, object, base, site.call + 2, site.after))
        return false;
    const u64 back = behind + (site.way != Way::kNone ? site.after : 0);
    if (code.used() + 5 > kResumeAt || !fits32(back - (code.address() + 5))) return false;
    code.put(0xe9);
    code.put_relative(back);
    memcpy(slot + kResumeAt, &behind, sizeof(behind));
    return true;
}

bool write_all_slots(Sites& sites, const Object& object, u64 base, const SlotPages& slots, u64& patched) {
    patched = 0;
    for (u64 i = 0; i < sites.count; i++) {
        Site& site = sites.all[i];
        u8* trap = traps.memory + i * kTrapBytes;
        Served& each = served[i];
        u64 resume = 0;
        if (!write_serving_slot(slots.slot(2 * i), reinterpret_cast<u64>(trap), site, object, base, each.call,
                                resume)) {
            site.way = Way::kNone;
            site.reason = Reason::kTooFar;
            if (!write_serving_slot(slots.slot(2 * i), 0, site, object, base, each.call, resume))
                return false;
        }
        write_trap(trap, resume);
        write_spawn(slots.slot(2 * i + 1), resume);
        each.behind = base + site.call + 2;
        each.spawn = reinterpret_cast<u64>(slots.slot(2 * i + 1));
        patched += site.way != Way::kNone ? 1 : 0;
    }
    served_count = sites.count;
    return true;
}

}  // namespace

bool prepare_segment(const Object& object, const Elf64_Phdr& segment, u64 base, int protection,
                     const char* name) {
    Sites sites;
    Patched out;
    out.begin = base + segment.p_vaddr;
    out.end = out.begin + segment.p_filesz;
    u64 patched = 0;
    bool good =
        find_sites(object, segment, sites) && sites.count > 0 && sites.count <= kMaxSites &&
        get_slots(2 * sites.count, out.begin, out.end, out.slots) &&
        get_near_pages((sites.count * kTrapBytes + kPageBytes - 1) / kPageBytes, out.begin, out.end, traps);
    good = good && write_all_slots(sites, object, base, out.slots, patched) && make_executable(out.slots) &&
           make_executable(traps) && write_patches(sites, base, out, protection, true);
    report_sites(sites, name, base, patched);
    release(sites);
    return good;
}

bool find_served(u64 behind, u64& call, u64& spawn) {
    const u64 trap = behind - 2 - reinterpret_cast<u64>(traps.memory);
    u64 low = 0, high = served_count;
    if (trap < served_count * kTrapBytes) {
        low = trap / kTrapBytes;
    } else {
        while (low < high) {
            const u64 middle = (low + high) / 2;
            if (served[middle].behind < behind)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == served_count || served[low].behind != behind) return false;
    }
    call = served[low].call;
    spawn = served[low].spawn;
    return true;
}

}  // namespace farcall::preload
