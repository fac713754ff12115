// SPDX-License-Identifier: MIT
#include "guest-lib/preload/basic.h"

#include <asm/errno.h>
#include <linux/mman.h>
#include <linux/uio.h>

extern "C" {

void* memcpy(void* to, const void* from, decltype(sizeof(0)) bytes) {
    void* result = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
    return result;
}

void* memmove(void* to, const void* from, decltype(sizeof(0)) bytes) {
    auto* out = static_cast<char*>(to);
    const auto* in = static_cast<const char*>(from);
    if (out <= in || out >= in + bytes) return memcpy(to, from, bytes);
    while (bytes-- > 0) {
        out[bytes] = in[bytes];
        asm volatile("");  // or the compiler makes it a call of memmove
    }
    return to;
}

void* memset(void* to, int value, decltype(sizeof(0)) bytes) {
    void* result = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
    return result;
}

int memcmp(const void* a, const void* b, decltype(sizeof(0)) bytes) {
    const auto* left = static_cast<const unsigned char*>(a);
    const auto* right = static_cast<const unsigned char*>(b);
    for (decltype(bytes) i = 0; i < bytes; i++)
        if (left[i] != right[i]) return left[i] - right[i];
    return 0;
}

}  // extern "C"

namespace farcall::preload {

u64 length(const char* string) {
    u64 n = 0;
    while (string[n] != 0) {
        n++;
        asm volatile("");  // or the compiler makes it a call of strlen
    }
    return n;
}

bool equal(const char* a, const char* b) {
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool starts_with(const char* string, const char* start) {
    while (*start != 0)
        if (*string++ != *start++) return false;
    return true;
}

i64 number_from(const char* string) {
    i64 value = 0;
    if (*string == 0) return -1;
    for (; *string != 0; string++) {
        if (*string < '0' || *string > '9' || value > (1L << 40)) return -1;
        value = value * 10 + (*string - '0');
    }
    return value;
}

Text& Text::unsigned_decimal(u64 value) {
    char digits[24];
    int n = 0;
    do {
        digits[n++] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0)
        put(digits[--n]);
    return *this;
}

Text& Text::decimal(i64 value) {
    if (value >= 0) return unsigned_decimal(static_cast<u64>(value));
    return put('-').unsigned_decimal(0 - static_cast<u64>(value));
}

Text& Text::hex(u64 value) {
    put("0x");
    int shift = 60;
    while (shift > 0 && (value >> shift) == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        put("0123456789abcdef"[value >> shift & 15]);
    return *this;
}

Text& Text::octal(u64 value) {
    put('0');
    int shift = 63;
    while (shift > 3 && (value >> shift) == 0)
        shift -= 3;
    for (; shift >= 0; shift -= 3)
        put(static_cast<char>('0' + (value >> shift & 7)));
    return *this;
}

Text& Text::column(u64 width) {
    while (static_cast<u64>(at_ - line_) < width && at_ < end_)
        put(' ');
    return *this;
}

Text& Text::right(u64 value, u64 width) {
    u64 digits = 1;
    for (u64 rest = value; rest >= 10; rest /= 10)
        digits++;
    for (; digits < width; width--)
        put(' ');
    return unsigned_decimal(value);
}

void* map_memory(u64 bytes) {
    const i64 result =
        sys::call(__NR_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return failed(result) ? nullptr : reinterpret_cast<void*>(result);
}

void unmap_memory(void* memory, u64 bytes) {
    sys::call(__NR_munmap, memory, bytes);
}

namespace {

u64 copy_carefully(u64 number, u64 there_address, const void* here_address, u64 bytes) {
    const iovec here{const_cast<void*>(here_address), bytes},
        there{reinterpret_cast<void*>(there_address), bytes};
    const i64 n = sys::call(number, sys::call(__NR_getpid), &here, 1, &there, 1, 0);
    return failed(n) ? 0 : static_cast<u64>(n);
}

}  // namespace

u64 peek(u64 address, void* to, u64 bytes) {
    return copy_carefully(__NR_process_vm_readv, address, to, bytes);
}

u64 poke(u64 address, const void* from, u64 bytes) {
    return copy_carefully(__NR_process_vm_writev, address, from, bytes);
}

void write_all(int fd, const char* text, u64 bytes) {
    while (bytes > 0) {
        const i64 n = sys::call(__NR_write, fd, text, bytes);
        if (n == -EINTR) continue;
        if (n <= 0) return;
        text += n;
        bytes -= static_cast<u64>(n);
    }
}

}  // namespace farcall::preload
