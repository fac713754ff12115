// SPDX-License-Identifier: MIT
#include "guest-lib/preload/fork_state.h"

#include <asm/errno.h>
#include <linux/mman.h>

namespace farcall::preload {

ForkState* fork_state = nullptr;

bool make_fork_state() {
    fork_state = static_cast<ForkState*>(map_memory(kPageBytes));
    if (fork_state == nullptr) return false;
    in_vforked_child();
    return sys::call(__NR_madvise, fork_state, kPageBytes, MADV_WIPEONFORK) == 0;
}

bool in_vforked_child() {
    const auto self = static_cast<u32>(sys::call(__NR_getpid));
    u32 owner = 0;
    __atomic_compare_exchange_n(&fork_state->owner, &owner, self, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return owner != 0 && owner != self;
}

bool lock(u32& word) {
    const auto self = static_cast<u32>(sys::call(__NR_gettid));
    for (;;) {
        u32 holder = 0;
        if (__atomic_compare_exchange_n(&word, &holder, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
        if (holder == self) return false;
        if (sys::call(__NR_tkill, holder, 0) == -ESRCH &&
            __atomic_compare_exchange_n(&word, &holder, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
        sys::call(__NR_sched_yield);
    }
}

void unlock(u32& word) {
    __atomic_store_n(&word, 0, __ATOMIC_RELEASE);
}

}  // namespace farcall::preload
