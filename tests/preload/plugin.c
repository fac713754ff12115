/* SPDX-License-Identifier: MIT */
/* A library with a system call of its own: each time it is loaded there is code to patch. */
long plugin_getpid(void) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(39L) : "rcx", "r11", "memory");
    return result;
}
