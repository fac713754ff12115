// SPDX-License-Identifier: MIT
// The few functions on memory and strings that are needed without libc.
#pragma once

#include "guest-lib/preload/sys.h"

extern "C" {
void* memcpy(void* to, const void* from, decltype(sizeof(0)) bytes);
void* memmove(void* to, const void* from, decltype(sizeof(0)) bytes);
void* memset(void* to, int value, decltype(sizeof(0)) bytes);
int memcmp(const void* a, const void* b, decltype(sizeof(0)) bytes);
}

namespace farcall::preload {

u64 length(const char* string);
bool equal(const char* a, const char* b);
bool starts_with(const char* string, const char* start);
/// Decimal digits only; -1 for anything else.
i64 number_from(const char* string);

/// Text put together in a buffer of fixed size; what does not fit is cut.
class Text {
  public:
    Text(char* buffer, u64 bytes) : begin_(buffer), at_(buffer), end_(buffer + bytes) {}

    Text& put(char c) {
        if (at_ < end_) *at_++ = c;
        return *this;
    }
    Text& put(const char* string) {
        while (*string != 0)
            put(*string++);
        return *this;
    }
    Text& put(const char* string, u64 bytes) {
        while (bytes-- > 0)
            put(*string++);
        return *this;
    }
    Text& decimal(i64 value);
    Text& unsigned_decimal(u64 value);
    Text& hex(u64 value);    ///< with 0x
    Text& octal(u64 value);  ///< with a leading 0, at least three digits
    /// Spaces up to the given column of the current line.
    Text& column(u64 width);
    /// Right-aligned in `width` columns.
    Text& right(u64 value, u64 width);

    const char* data() const { return begin_; }
    u64 size() const { return static_cast<u64>(at_ - begin_); }
    u64 room() const { return static_cast<u64>(end_ - at_); }
    void clear() { at_ = begin_; }
    void ended_line() { line_ = at_; }

  private:
    char* begin_;
    char* at_;
    char* end_;
    char* line_ = begin_;
};

/// Anonymous memory, or nullptr. Nothing that is mapped here is ever executable.
void* map_memory(u64 bytes);
void unmap_memory(void* memory, u64 bytes);

/// Reads and writes memory of this process that may not be there. Bytes done.
u64 peek(u64 address, void* to, u64 bytes);
u64 poke(u64 address, const void* from, u64 bytes);

/// Writes all of it, whatever the pieces; errors are nobody's business.
void write_all(int fd, const char* text, u64 bytes);

}  // namespace farcall::preload
