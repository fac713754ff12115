// SPDX-License-Identifier: MIT
// What the library must not be noticed by. Each prints what it found, the same with and without the library.
#pragma once

namespace victim {

int registers();    ///< nothing but rax, rcx and r11 changes in a system call, and not the memory below the
                    ///< stack pointer
int bytes();        ///< the bytes of a system call in data and inside other instructions
int small_stack();  ///< system calls on a stack of the smallest size
int jumps();        ///< longjmp out of a signal handler that interrupted a system call
int stacks();       ///< alternate signal stacks, SIGSEGV handlers
int exceptions();   ///< thrown through frames that make system calls, and out of a signal handler
int cancel();       ///< a thread that is cancelled inside read() runs its destructors
int restart();      ///< EINTR, and restarted calls
int plugins();      ///< dlopen and dlclose, many times
int spawn();        ///< fork, vfork, posix_spawn, clone with a stack, and what the children see
int environment();  ///< what the program can see of its environment and descriptors
int descriptors();  ///< close_range, closefrom, dup2 over everything
int restricted();   ///< strict seccomp
int filtered();     ///< a seccomp filter that kills
int faults();       ///< bad pointers give EFAULT
int storm();        ///< threads, signals, fork, dlopen, all at once
int cost();         ///< prints the nanoseconds of a cheap system call, the best of several turns

}  // namespace victim
