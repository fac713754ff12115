// SPDX-License-Identifier: MIT
// Raw system calls: nothing in this folder calls libc, so that a patched site inside libc never runs libc
// again, errno is the program's alone and a thread without thread-local storage is no worse off. Results are
// -errno.
#pragma once

#include <asm/unistd.h>

namespace farcall::preload {

using i64 = long;
using u64 = unsigned long;
using i32 = int;
using u32 = unsigned int;
using u16 = unsigned short;
using u8 = unsigned char;

constexpr u64 kPageBytes = 4096;

/// The lowest value that the kernel returns as an error.
constexpr i64 kMaxErrno = 4095;
constexpr bool failed(i64 result) {
    return result < 0 && result >= -kMaxErrno;
}

namespace sys {

inline i64 call6(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
    i64 result;
    register u64 r10 asm("r10") = d;
    register u64 r8 asm("r8") = e;
    register u64 r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

template <typename T>
u64 word(T value) {
    return static_cast<u64>(static_cast<i64>(value));
}
template <typename T>
u64 word(T* value) {
    return reinterpret_cast<u64>(value);
}

template <typename A = int, typename B = int, typename C = int, typename D = int, typename E = int,
          typename F = int>
i64 call(u64 number, A a = A(), B b = B(), C c = C(), D d = D(), E e = E(), F f = F()) {
    return call6(number, word(a), word(b), word(c), word(d), word(e), word(f));
}

}  // namespace sys
}  // namespace farcall::preload
