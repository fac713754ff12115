// SPDX-License-Identifier: MIT
// One system call of the program on its way through the library.
#pragma once

#include "guest-lib/preload/sys.h"

namespace farcall::preload {

/// On the program's stack; the layout is entry.S's.
struct Call {
    i64 result;   ///< of a call that was made
    u64 note;     ///< from fc_before() to fc_after()
    u64 number;   ///< rax: only the low 32 bits count, as in the kernel
    u64 args[6];  ///< may be changed for a watched or passed call
    u64 saved_rbp;
    u64 saved_flags;
    u64 resume;  ///< in the slot, behind its system call instruction
};
static_assert(sizeof(Call) == 96);

enum class Action : int {
    kPass = 0,   ///< the slot makes the call with the registers of the Call
    kDone = 1,   ///< the call has been made; result is its result
    kWatch = 2,  ///< the entry makes it, then fc_after() looks at it
};

}  // namespace farcall::preload

extern "C" {
/// Zero: calls with this number (its low 16 bits) are nobody's business.
extern unsigned char fc_filter[65536];
extern unsigned char fc_slots[];
void fc_entry();
farcall::preload::Action fc_before(farcall::preload::Call* call);
void fc_after(farcall::preload::Call* call);
}
