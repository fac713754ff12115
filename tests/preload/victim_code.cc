// SPDX-License-Identifier: MIT
// What is about instructions and stacks.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "tests/preload/victim.h"

// State before and behind a call of getppid: general registers, flags, the red zone, some vector registers.
extern "C" {
struct State {
    uint64_t general[15];  // all but rsp
    uint64_t flags;
    uint64_t red[16];
    uint64_t vector[32];  // xmm0 to xmm15
};
void victim_call(const State* in, State* out);
}

asm(R"(
    .text
    .globl victim_call
    .type victim_call, @function
victim_call:
    .cfi_startproc
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rsi
    .cfi_adjust_cfa_offset 56
    mov %rdi, %rax
)"
#define VECTOR_IN(n) "movdqu 256+16*" #n "(%rax), %xmm" #n "\n"
    VECTOR_IN(0) VECTOR_IN(1) VECTOR_IN(2) VECTOR_IN(3) VECTOR_IN(4) VECTOR_IN(5) VECTOR_IN(6) VECTOR_IN(7)
        VECTOR_IN(8) VECTOR_IN(9) VECTOR_IN(10) VECTOR_IN(11) VECTOR_IN(12) VECTOR_IN(13) VECTOR_IN(14)
            VECTOR_IN(15)
#define RED_IN(n) "mov 128+8*" #n "(%rax), %rcx\n mov %rcx, -128+8*" #n "(%rsp)\n"
                RED_IN(1) RED_IN(2) RED_IN(3) RED_IN(4) RED_IN(5) RED_IN(6) RED_IN(7) RED_IN(8) RED_IN(9)
                    RED_IN(10) RED_IN(11) RED_IN(12) RED_IN(13) RED_IN(14)
                        R"(
    push 120(%rax)
    popfq
    mov 8(%rax), %rbx
    mov 24(%rax), %rdx
    mov 32(%rax), %rsi
    mov 40(%rax), %rdi
    mov 48(%rax), %rbp
    mov 56(%rax), %r8
    mov 64(%rax), %r9
    mov 72(%rax), %r10
    mov 88(%rax), %r12
    mov 96(%rax), %r13
    mov 104(%rax), %r14
    mov 112(%rax), %r15
    mov $110, %eax
    syscall
    xchg %rax, (%rsp)
    mov %rbx, 8(%rax)
    mov %rdx, 24(%rax)
    mov %rsi, 32(%rax)
    mov %rdi, 40(%rax)
    mov %rbp, 48(%rax)
    mov %r8, 56(%rax)
    mov %r9, 64(%rax)
    mov %r10, 72(%rax)
    mov %r12, 88(%rax)
    mov %r13, 96(%rax)
    mov %r14, 104(%rax)
    mov %r15, 112(%rax)
)"
#define RED_OUT(n) "mov -128+8*" #n "(%rsp), %rcx\n mov %rcx, 128+8*" #n "(%rax)\n"
    RED_OUT(1) RED_OUT(2) RED_OUT(3) RED_OUT(4) RED_OUT(5) RED_OUT(6) RED_OUT(7) RED_OUT(8) RED_OUT(9)
        RED_OUT(10) RED_OUT(11) RED_OUT(12) RED_OUT(13) RED_OUT(14)
            R"(
    pushfq
    pop 120(%rax)
    cld
)"
#define VECTOR_OUT(n) "movdqu %xmm" #n ", 256+16*" #n "(%rax)\n"
    VECTOR_OUT(0) VECTOR_OUT(1) VECTOR_OUT(2) VECTOR_OUT(3) VECTOR_OUT(4) VECTOR_OUT(5) VECTOR_OUT(6)
        VECTOR_OUT(7) VECTOR_OUT(8) VECTOR_OUT(9) VECTOR_OUT(10) VECTOR_OUT(11) VECTOR_OUT(12) VECTOR_OUT(13)
            VECTOR_OUT(14) VECTOR_OUT(15)
                R"(
    pop %rsi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    .cfi_adjust_cfa_offset -56
    ret
    .cfi_endproc
    .size victim_call, . - victim_call

    # A function that holds the two bytes in an immediate, in a displacement and in data behind a jump.
    .globl victim_bytes
    .type victim_bytes, @function
victim_bytes:
    .cfi_startproc
    mov $0x050f050f, %eax
    add $0x00050f00, %eax
    lea 0x050f(%rax), %eax
    ret
    .cfi_endproc
    .size victim_bytes, . - victim_bytes
)");

extern "C" uint32_t victim_bytes();

namespace victim {

int registers() {
    static State in, out;
    int wrong = 0;
    for (int round = 0; round < 2; round++) {
        auto* word = reinterpret_cast<uint64_t*>(&in);
        for (size_t i = 0; i < sizeof(in) / 8; i++)
            word[i] = 0x9e3779b97f4a7c15 * (i + 1 + static_cast<size_t>(round));
        // Arithmetic flags and the direction flag, all set or all clear.
        in.flags = round == 0 ? 0x202 : 0x202 | 0x8d5 | 0x400;
        out = in;
        victim_call(&in, &out);
        for (size_t i = 0; i < sizeof(in) / 8; i++)
            if (word[i] != reinterpret_cast<uint64_t*>(&out)[i]) {
                std::printf("word %zu: %lx instead of %lx\n", i, reinterpret_cast<uint64_t*>(&out)[i],
                            word[i]);
                wrong++;
            }
    }
    std::printf("%d words changed\n", wrong);
    return wrong != 0;
}

int bytes() {
    static const unsigned char data[] = {0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3};
    std::printf("%x\n", victim_bytes());
    for (const unsigned char byte : data)
        std::printf("%02x", byte);
    std::printf("\n");
    // Made at run time: in no known function.
    void* code = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memcpy(code, data, sizeof(data));
    mprotect(code, 4096, PROT_READ | PROT_EXEC);
    std::printf("%d\n", reinterpret_cast<long (*)()>(code)() == getpid());
    return std::memcmp(code, data, sizeof(data)) != 0;
}

namespace {

void* on_small_stack(void*) {
    int sum = 0;
    for (int i = 0; i < 1000; i++) {
        char byte;
        if (pread(0, &byte, 1, i) < 0) sum++;
        if (syscall(SYS_getppid) > 0) sum++;
    }
    return reinterpret_cast<void*>(static_cast<intptr_t>(sum));
}

}  // namespace

int small_stack() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    pthread_t thread;
    void* sum = nullptr;
    if (pthread_create(&thread, &attributes, on_small_stack, nullptr) != 0 || pthread_join(thread, &sum) != 0)
        return 1;
    std::printf("%ld\n", reinterpret_cast<intptr_t>(sum));
    return 0;
}

int cost() {
    double best = 1e9;
    for (int turn = 0; turn < 20; turn++) {
        timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (int i = 0; i < 50000; i++)
            getppid();
        clock_gettime(CLOCK_MONOTONIC, &end);
        const double ns = static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 +
                          static_cast<double>(end.tv_nsec - begin.tv_nsec);
        if (ns / 50000 < best) best = ns / 50000;
    }
    std::printf("%.2f\n", best);
    return 0;
}

}  // namespace victim
