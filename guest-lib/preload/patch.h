// SPDX-License-Identifier: MIT
// Makes the sites of one object jump to their slots.
#pragma once

#include "guest-lib/preload/slot.h"

namespace farcall::preload {

/// An executable segment that has been gone through.
struct Patched {
    u64 begin = 0;  ///< of the segment, in the running program
    u64 end = 0;
    SlotPages slots;
    u64 count = 0;       ///< sites that jump to a slot
    u64 left_alone = 0;  ///< and those that do not
};

/// `object` can read the segment's bytes, which are mapped at base + p_vaddr with protection `protection` and
/// run by nobody now. With the protection as it was, and a line per site that is left alone in the report.
bool patch_segment(const Object& object, const Elf64_Phdr& segment, u64 base, int protection,
                   const char* name, Patched& out);

/// Writes the jumps. The slots are in the order of the sites: of those that have a patch, or (`all`) two for
/// every site.
bool write_patches(const Sites& sites, u64 base, const Patched& segment, int protection, bool all);
void report_sites(const Sites& sites, const char* name, u64 base, u64 patched);

/// Where the report goes (a path that is appended to), or nullptr.
void set_report(const char* path);

}  // namespace farcall::preload
