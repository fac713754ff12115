// SPDX-License-Identifier: MIT
#include "guest-lib/preload/dispatch.h"

#include <asm/errno.h>
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <linux/sched.h>
#include <linux/signal.h>

#include <initializer_list>

#include "guest-lib/preload/basic.h"
#include "guest-lib/preload/config.h"
#include "guest-lib/preload/dispatch_slots.h"
#include "guest-lib/preload/watch.h"

extern "C" {
// This image, as the linker laid it out: calls from here are never dispatched.
extern const char __executable_start[];
extern const char etext[];
void fc_restore();
[[gnu::used]] unsigned char fc_selector = 1;  // SYSCALL_DISPATCH_FILTER_BLOCK, always
long fc_dispatch_on();
}

namespace farcall::preload {

namespace {

constexpr int kUserDispatch = 2;  // si_code
constexpr u64 kSigsysBit = 1UL << (SIGSYS - 1);
constexpr u64 kSetSize = 8;
constexpr u64 kNoDefer = 0x40000000, kOnStack = 0x08000000, kRestorer = 0x04000000, kSiginfo = 4;

/// The kernel's struct sigaction.
struct KernelAction {
    u64 handler;
    u64 flags;
    u64 restorer;
    u64 mask;
};

/// The beginning of what a handler gets as its context.
struct Context {
    u64 flags;
    u64 link;
    u64 stack[3];
    sigcontext_64 registers;
    u64 mask;
};

KernelAction wanted_action{};  // the program's own for SIGSYS

bool must_be_the_slots(u64 number) {
    switch (number) {
        case __NR_clone:
        case __NR_clone3:
        case __NR_fork:
        case __NR_vfork:
        case __NR_rt_sigreturn:
        case __NR_sigaltstack:
        case __NR_exit:
            return true;
        default:
            return false;
    }
}

// A vforked child runs on its parent's stack or a small one: its calls are its own until it executes
// something.
bool stays_dispatched(u64 flags, bool own_stack) {
    return (flags & CLONE_VFORK) == 0 && ((flags & CLONE_VM) == 0 || own_stack);
}

bool child_is_dispatched(const Call& call) {
    switch (static_cast<u32>(call.number)) {
        case __NR_fork:
            return true;
        case __NR_clone:
            return stays_dispatched(call.args[0], call.args[1] != 0);
        case __NR_clone3: {
            clone_args arguments{};
            if (peek(call.args[0], &arguments, CLONE_ARGS_SIZE_VER0) != CLONE_ARGS_SIZE_VER0) return false;
            return stays_dispatched(arguments.flags, arguments.stack != 0);
        }
        default:
            return false;
    }
}

/// The mask is what the handler's return restores, so it is changed there.
i64 change_mask(const Call& call, u64& mask) {
    if (call.args[3] != kSetSize) return -EINVAL;
    const u64 before = mask;
    if (call.args[1] != 0) {
        u64 bits = 0;
        if (peek(call.args[1], &bits, sizeof(bits)) != sizeof(bits)) return -EFAULT;
        bits &= ~(kSigsysBit | 1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1));
        switch (static_cast<int>(call.args[0])) {
            case SIG_BLOCK:
                mask |= bits;
                break;
            case SIG_UNBLOCK:
                mask &= ~bits;
                break;
            case SIG_SETMASK:
                mask = bits;
                break;
            default:
                return -EINVAL;
        }
    }
    if (call.args[2] != 0 && poke(call.args[2], &before, sizeof(before)) != sizeof(before)) return -EFAULT;
    return 0;
}

void deliver(int number, siginfo_t* info, Context* context) {
    if (wanted_action.handler == reinterpret_cast<u64>(SIG_IGN)) return;
    if (wanted_action.handler != reinterpret_cast<u64>(SIG_DFL))
        return reinterpret_cast<void (*)(int, siginfo_t*, Context*)>(wanted_action.handler)(number, info,
                                                                                            context);
    const KernelAction dying{0, kRestorer, reinterpret_cast<u64>(&fc_restore), 0};
    sys::call(__NR_rt_sigaction, SIGSYS, &dying, 0, kSetSize);
    sys::call(__NR_tgkill, sys::call(__NR_getpid), sys::call(__NR_gettid), SIGSYS);
}

i64 make(const Call& call) {
    return sys::call6(call.number, call.args[0], call.args[1], call.args[2], call.args[3], call.args[4],
                      call.args[5]);
}

/// Not one of the sites that were found: the vDSO's, or code made at run time.
void serve_unknown(Call& call, Context& context) {
    if (!must_be_the_slots(call.number)) {
        context.registers.ax = static_cast<u64>(make(call));
        return;
    }
    // Made where it stands; this thread's calls from such places are its own from now on.
    sys::call(__NR_prctl, 59 /* PR_SET_SYSCALL_USER_DISPATCH */, 0, 0, 0, 0);
    context.registers.ip -= 2;
}

void on_dispatched(int number, siginfo_t* info, Context* context) {
    if (info->si_code != kUserDispatch) return deliver(number, info, context);
    auto& registers = context->registers;
    Call call{};
    call.number = registers.ax;
    const u64 arguments[6] = {registers.di,  registers.si, registers.dx,
                              registers.r10, registers.r8, registers.r9};
    memcpy(call.args, arguments, sizeof(arguments));
    if (static_cast<u32>(call.number) == __NR_rt_sigprocmask) {
        registers.ax = static_cast<u64>(change_mask(call, context->mask));
        return;
    }
    u64 slot = 0, spawn = 0;
    const bool known = find_served(registers.ip, slot, spawn);
    switch (fc_before(&call)) {
        case Action::kDone:
            registers.ax = static_cast<u64>(call.result);
            return;
        case Action::kWatch:
            call.result = make(call);
            fc_after(&call);
            registers.ax = static_cast<u64>(call.result);
            return;
        case Action::kPass:
            break;
    }
    if (!known) return serve_unknown(call, *context);
    registers.ip = child_is_dispatched(call) ? spawn : slot;
}

/// Without SIGSYS in a set that holds while the kernel waits: handlers that run then make calls as well.
Action with_set(Call& call, u64& set) {
    u64 clean = 0;
    if (set == 0 || peek(set, &clean, sizeof(clean)) != sizeof(clean) || (clean & kSigsysBit) == 0)
        return Action::kPass;
    clean &= ~kSigsysBit;
    const u64 original = set;
    set = reinterpret_cast<u64>(&clean);
    call.result = make(call);
    set = original;
    return Action::kDone;
}

Action on_sigaction(Call& call) {
    if (call.args[3] != kSetSize) return Action::kPass;
    KernelAction action{};
    const auto* in = reinterpret_cast<const KernelAction*>(call.args[1]);
    auto* out = reinterpret_cast<KernelAction*>(call.args[2]);
    if (in != nullptr && peek(call.args[1], &action, sizeof(action)) != sizeof(action)) return Action::kPass;
    if (static_cast<int>(call.args[0]) == SIGSYS) {
        if (out != nullptr) *out = wanted_action;
        if (in != nullptr) wanted_action = action;
        call.result = 0;
        return Action::kDone;
    }
    if (in == nullptr || (action.mask & kSigsysBit) == 0) return Action::kPass;
    action.mask &= ~kSigsysBit;
    call.result = sys::call(__NR_rt_sigaction, call.args[0], &action, call.args[2], call.args[3]);
    return Action::kDone;
}

Action on_pselect(Call& call) {
    u64 pair[2];  // the set and its size
    if (call.args[5] == 0 || peek(call.args[5], pair, sizeof(pair)) != sizeof(pair)) return Action::kPass;
    const u64 original = call.args[5];
    call.args[5] = reinterpret_cast<u64>(pair);
    const Action action = with_set(call, pair[0]);
    call.args[5] = original;
    return action;
}

/// /proc/self/exe is the launcher: the program shall read its own name.
Action on_readlink(Call& call, int path_at) {
    static constexpr char kSelf[] = "/proc/self/exe";
    char path[sizeof(kSelf)];
    if (peek(call.args[path_at], path, sizeof(path)) != sizeof(path) ||
        memcmp(path, kSelf, sizeof(path)) != 0)
        return Action::kPass;
    const u64 bytes = length(config.program), room = call.args[path_at + 2];
    const u64 copied = bytes < room ? bytes : room;
    call.result =
        poke(call.args[path_at + 1], config.program, copied) == copied ? static_cast<i64>(copied) : -EFAULT;
    return Action::kDone;
}

Action serve_launched(u32 number, Call& call) {
    switch (number) {
        case __NR_readlink:
            return on_readlink(call, 0);
        case __NR_readlinkat:
            return on_readlink(call, 1);
        case __NR_rt_sigaction:
            return on_sigaction(call);
        case __NR_rt_sigsuspend:
            return with_set(call, call.args[0]);
        case __NR_ppoll:
            return with_set(call, call.args[3]);
        case __NR_epoll_pwait:
        case __NR_epoll_pwait2:
            return with_set(call, call.args[4]);
        case __NR_pselect6:
            return on_pselect(call);
        default:
            return Action::kPass;
    }
}

}  // namespace

bool start_dispatch() {
    serve_first = serve_launched;
    const KernelAction action{reinterpret_cast<u64>(&on_dispatched),
                              kSiginfo | kNoDefer | kOnStack | kRestorer, reinterpret_cast<u64>(&fc_restore),
                              0};
    const u64 unblocked = kSigsysBit;
    for (const u32 number : {__NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigsuspend, __NR_ppoll,
                             __NR_pselect6, __NR_epoll_pwait, __NR_epoll_pwait2, __NR_clone, __NR_clone3,
                             __NR_fork, __NR_readlink, __NR_readlinkat})
        fc_filter[number] = 1;
    return sys::call(__NR_rt_sigaction, SIGSYS, &action, 0, kSetSize) == 0 &&
           sys::call(__NR_rt_sigprocmask, SIG_UNBLOCK, &unblocked, 0, kSetSize) == 0 && fc_dispatch_on() == 0;
}

}  // namespace farcall::preload
