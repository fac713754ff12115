// SPDX-License-Identifier: MIT
#include "host-lib/fault_copy.h"

#include <signal.h>
#include <ucontext.h>

#include <cstdint>
#include <mutex>

#include "host-lib/error.h"

// The only instruction that may fault, and where to go on if it does; rcx says what was left. This is what
// the kernel does for its copies from user space, and costs a copy that does not fault nothing: no setjmp().
asm(R"(
    .pushsection .text
    .type farcall_copy_or_fault, @function
farcall_copy_or_fault:
    .cfi_startproc
    mov %rdx, %rcx
farcall_copy_instruction:
    rep movsb
farcall_copy_end:
    mov %rcx, %rax
    ret
    .cfi_endproc
    .size farcall_copy_or_fault, . - farcall_copy_or_fault
    .popsection
)");

extern "C" {
size_t farcall_copy_or_fault(void* to, const void* from, size_t bytes);
extern const char farcall_copy_instruction[];
extern const char farcall_copy_end[];
}

namespace farcall {
namespace {

struct sigaction before;

void pass_on(int signal, siginfo_t* info, void* context) {
    if ((before.sa_flags & SA_SIGINFO) && before.sa_sigaction != nullptr)
        return before.sa_sigaction(signal, info, context);
    if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
    // The instruction faults again, and then the process ends as it would have without us.
    ::signal(signal, SIG_DFL);
    if (info->si_code <= 0) raise(signal);  // somebody sent it: there is no such instruction
}

void on_fault(int signal, siginfo_t* info, void* context) {
    greg_t& at = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
    const bool fault = info->si_code > 0;  // not sent by kill()
    if (fault && at == static_cast<greg_t>(reinterpret_cast<uintptr_t>(farcall_copy_instruction))) {
        at = static_cast<greg_t>(reinterpret_cast<uintptr_t>(farcall_copy_end));
        return;
    }
    pass_on(signal, info, context);
}

}  // namespace

void catch_copy_faults() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        if (sigaction(SIGBUS, &action, &before) < 0) throw errno_error("cannot handle SIGBUS");
    });
}

size_t copy_or_fault(void* to, const void* from, size_t bytes) {
    return farcall_copy_or_fault(to, from, bytes);
}

}  // namespace farcall
