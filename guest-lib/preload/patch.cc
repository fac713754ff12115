// SPDX-License-Identifier: MIT
#include "guest-lib/preload/patch.h"

#include <linux/fcntl.h>
#include <linux/mman.h>

#include "guest-lib/preload/move.h"

namespace farcall::preload {

namespace {

const char* report_path = nullptr;

void put_jump(u64 from, u64 to) {
    auto* code = reinterpret_cast<u8*>(from);
    code[0] = 0xe9;
    put32(code + 1, to - (from + 5));
}

void put_patch(const Site& site, u64 base, u64 slot) {
    if (site.way == Way::kShortJump) {
        put_jump(base + site.hole, slot);
        auto* code = reinterpret_cast<u8*>(base + site.call);
        code[0] = 0xeb;
        code[1] = static_cast<u8>(site.hole - (site.call + 2));
        return;
    }
    put_jump(base + site.patch, slot);
}

/// Gives every site its slot; one that cannot have it is left alone. Slots are in the order of the sites.
u64 write_slots(Sites& sites, const Object& object, u64 base, const SlotPages& pages) {
    u64 used = 0;
    for (u64 i = 0; i < sites.count; i++) {
        Site& site = sites.all[i];
        if (site.way == Way::kNone) continue;
        if (write_slot(pages.slot(used), site, object, base)) {
            used++;
            continue;
        }
        site.way = Way::kNone;
        site.reason = Reason::kTooFar;
    }
    return used;
}

}  // namespace

bool write_patches(const Sites& sites, u64 base, const Patched& segment, int protection, bool all) {
    const u64 begin = segment.begin & ~(kPageBytes - 1);
    const u64 bytes = ((segment.end + kPageBytes - 1) & ~(kPageBytes - 1)) - begin;
    if (sys::call(__NR_mprotect, begin, bytes, PROT_READ | PROT_WRITE) != 0) return false;
    u64 used = 0;
    for (u64 i = 0; i < sites.count; i++) {
        if (sites.all[i].way == Way::kNone) continue;
        const u64 slot = all ? 2 * i : used++;
        put_patch(sites.all[i], base, reinterpret_cast<u64>(segment.slots.slot(slot)));
    }
    // This has been so before: only a kernel out of memory could refuse, and then nothing can go on.
    if (sys::call(__NR_mprotect, begin, bytes, protection) != 0) __builtin_trap();
    return true;
}

void report_sites(const Sites& sites, const char* name, u64 base, u64 patched) {
    if (report_path == nullptr) return;
    const i64 fd =
        sys::call(__NR_openat, AT_FDCWD, report_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (failed(fd)) return;
    char buffer[512];
    Text text(buffer, sizeof(buffer));
    text.put(name)
        .put(": ")
        .unsigned_decimal(patched)
        .put(" patched, ")
        .unsigned_decimal(sites.count - patched);
    text.put(" left alone, ").unsigned_decimal(sites.not_code).put(" not code\n");
    write_all(static_cast<int>(fd), text.data(), text.size());
    for (u64 i = 0; i < sites.count; i++) {
        const Site& site = sites.all[i];
        if (site.way != Way::kNone) continue;
        text.clear();
        text.put(name)
            .put("+")
            .hex(site.call)
            .put(" at ")
            .hex(base + site.call)
            .put(": ")
            .put(reason_text(site.reason))
            .put('\n');
        write_all(static_cast<int>(fd), text.data(), text.size());
    }
    sys::call(__NR_close, fd);
}

bool patch_segment(const Object& object, const Elf64_Phdr& segment, u64 base, int protection,
                   const char* name, Patched& out) {
    Sites sites;
    out = {};
    out.begin = base + segment.p_vaddr;
    out.end = out.begin + segment.p_filesz;
    bool good = find_sites(object, segment, sites);
    u64 wanted = 0;
    for (u64 i = 0; i < sites.count; i++)
        wanted += sites.all[i].way != Way::kNone ? 1 : 0;
    if (good && wanted > 0) {
        good = get_slots(wanted, out.begin, out.end, out.slots);
        for (u64 i = 0; !good && i < sites.count; i++) {
            sites.all[i].way = Way::kNone;
            sites.all[i].reason = Reason::kTooFar;
        }
    }
    if (good && wanted > 0) {
        out.count = write_slots(sites, object, base, out.slots);
        good = make_executable(out.slots) && write_patches(sites, base, out, protection, false);
        if (!good) {
            put_back(out.slots);
            out.count = 0;
        }
    }
    out.left_alone = sites.count - out.count;
    report_sites(sites, name, base, out.count);
    release(sites);
    return good;
}

void set_report(const char* path) {
    report_path = path;
}

}  // namespace farcall::preload
