// SPDX-License-Identifier: MIT
#include "guest-lib/preload/print.h"

#include <asm/errno.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/uio.h>

#include "guest-lib/preload/names.h"

namespace farcall::preload {

namespace {

constexpr u64 kLine = 1200;
constexpr u64 kShownData = 32;  // bytes of data, as strace cuts them
constexpr u64 kShownPath = 512;
constexpr u64 kShownVectors = 8;

// As short as it can be read back: an octal number is only as long as the next character makes it.
void put_quoted(Text& text, const char* bytes, u64 count) {
    static constexpr char kEscapes[] = "\tt\nn\vv\ff\rr\"\"\\\\";
    text.put('"');
    for (u64 i = 0; i < count; i++) {
        const char c = bytes[i];
        const char* escape = nullptr;
        for (const char* pair = kEscapes; *pair != 0; pair += 2)
            if (pair[0] == c) escape = pair + 1;
        if (escape != nullptr) {
            text.put('\\').put(*escape);
        } else if (c >= ' ' && c < 127) {
            text.put(c);
        } else {
            const auto value = static_cast<u8>(c);
            const bool digit_follows = i + 1 < count && bytes[i + 1] >= '0' && bytes[i + 1] <= '9';
            text.put('\\');
            if (digit_follows || value >= 64) text.put(static_cast<char>('0' + (value >> 6)));
            if (digit_follows || value >= 8) text.put(static_cast<char>('0' + (value >> 3 & 7)));
            text.put(static_cast<char>('0' + (value & 7)));
        }
    }
    text.put('"');
}

void put_result(Text& text, const CallRow& row, const Call& call) {
    text.put(") = ");
    if (failed(call.result)) {
        text.put("-1 ");
        put_error(text, -call.result);
    } else if (equal(row.name, "mmap")) {
        text.hex(static_cast<u64>(call.result));
    } else if (equal(row.name, "fcntl") && call.args[1] == F_GETFD && call.result == FD_CLOEXEC) {
        text.put("0x1 (flags FD_CLOEXEC)");
    } else if (equal(row.name, "fcntl") && call.args[1] == F_GETFL) {
        const auto flags = static_cast<u64>(call.result);
        text.hex(flags)
            .put(" (flags ")
            .put((flags & 3) == 0   ? "O_RDONLY"
                 : (flags & 3) == 1 ? "O_WRONLY"
                                    : "O_RDWR");
        if ((flags & ~3UL) != 0) put_flags(text.put('|'), kOpenFlagNames, flags & ~3UL, "");
        text.put(')');
    } else {
        text.decimal(call.result);
    }
}

/// Entries in what getdents64 has written.
u64 count_entries(u64 address, u64 bytes) {
    u64 count = 0;
    for (u64 at = 0; at < bytes; count++) {
        u16 record = 0;
        if (peek(address + at + 16, &record, sizeof(record)) != sizeof(record) || record == 0) break;
        at += record;
    }
    return count;
}

}  // namespace

void Printer::string(u64 address) {
    char bytes[kShownPath];
    u64 got = 0, end = 0;
    if (address == 0) return (void)text_.put("NULL");
    // Page by page: the string may end at the end of what is mapped.
    while (got < sizeof(bytes) && end == got) {
        const u64 page = kPageBytes - (address + got) % kPageBytes;
        const u64 want = page < sizeof(bytes) - got ? page : sizeof(bytes) - got;
        const u64 n = peek(address + got, bytes + got, want);
        if (n == 0) break;
        got += n;
        while (end < got && bytes[end] != 0)
            end++;
    }
    if (got == 0) return put_pointer(text_, address);
    put_quoted(text_, bytes, end);
    if (end == sizeof(bytes)) text_.put("...");
}

void Printer::data(u64 address, u64 bytes) {
    char shown[kShownData] = {};
    if (address == 0) return (void)text_.put("NULL");
    const u64 got = bytes == 0 ? 0 : peek(address, shown, bytes < kShownData ? bytes : kShownData);
    if (got == 0 && bytes != 0) return put_pointer(text_, address);
    put_quoted(text_, shown, got);
    if (bytes > kShownData) text_.put("...");
}

void Printer::vector(u64 address, u64 count, u64 bytes) {
    text_.put('[');
    for (u64 i = 0; i < count; i++) {
        iovec each;
        if (i != 0) text_.put(", ");
        if (i == kShownVectors || peek(address + i * sizeof(each), &each, sizeof(each)) != sizeof(each)) {
            text_.put("...");
            break;
        }
        const u64 filled = each.iov_len < bytes ? each.iov_len : bytes;
        bytes -= filled;
        data(reinterpret_cast<u64>(each.iov_base), filled > 0 || each.iov_len == 0 ? filled : 0);
        text_.put("{iov_len=").unsigned_decimal(each.iov_len).put('}');
    }
    text_.put(']');
}

void Printer::status(u64 address) {
    struct stat status;
    if (failed_call() || peek(address, &status, sizeof(status)) != sizeof(status))
        return put_pointer(text_, address);
    put_mode(text_.put("{st_mode="), status.st_mode);
    const u64 type = status.st_mode & kTypeBits;
    if (type == 0020000 || type == 0060000) {
        text_.put(", st_rdev=makedev(")
            .hex(status.st_rdev >> 8 & 0xfff)
            .put(", ")
            .hex((status.st_rdev & 0xff) | (status.st_rdev >> 12 & 0xfff00));
        text_.put("), ...}");
    } else {
        text_.put(", st_size=").decimal(status.st_size).put(", ...}");
    }
}

void Printer::times(u64 address) {
    struct {
        i64 seconds, nanoseconds;
    } both[2];
    if (address == 0 || peek(address, both, sizeof(both)) != sizeof(both)) return put_pointer(text_, address);
    const char* separator = "[";
    for (const auto& each : both) {
        text_.put(separator);
        if (each.nanoseconds == 0x3fffffff)
            text_.put("UTIME_NOW");
        else if (each.nanoseconds == 0x3ffffffe)
            text_.put("UTIME_OMIT");
        else
            text_.put("{tv_sec=").decimal(each.seconds).put(", tv_nsec=").decimal(each.nanoseconds).put('}');
        separator = ", ";
    }
    text_.put(']');
}

bool Printer::memory_argument(int i) {
    const auto result = failed_call() ? 0 : static_cast<u64>(call_.result);
    switch (row_.pattern[i]) {
        case kPath:
        case kString:
            return string(arg(i)), true;
        case kBufferIn:
            return data(arg(i), arg(i + 1)), true;
        case kBufferOut:
        case kLinkOut:
            return failed_call() ? put_pointer(text_, arg(i)) : data(arg(i), result), true;
        case kVectorIn:
            return vector(arg(i), arg(i + 1), ~0UL), true;
        case kVectorOut:
            return vector(arg(i), arg(i + 1), result), true;
        case kStatOut:
            return status(arg(i)), true;
        case kTimes:
            return times(arg(i)), true;
        case kEntriesOut:
            put_pointer(text_, arg(i));
            if (!failed_call())
                text_.put(" /* ").unsigned_decimal(count_entries(arg(i), result)).put(" entries */");
            return true;
        case kOffset: {
            i64 offset = 0;
            if (arg(i) == 0 || peek(arg(i), &offset, sizeof(offset)) != sizeof(offset))
                return put_pointer(text_, arg(i)), true;
            return text_.put('[').decimal(offset).put(']'), true;
        }
        default:
            return false;
    }
}

void Printer::argument(int i) {
    const u64 value = arg(i);
    if (memory_argument(i) || flag_argument(i) || socket_argument(i)) return;
    switch (row_.pattern[i]) {
        case kDirFd:
            if (static_cast<int>(value) == AT_FDCWD) return (void)text_.put("AT_FDCWD");
            [[fallthrough]];
        case kFd:
        case kInt:
            return (void)text_.decimal(static_cast<int>(value));
        case kUnsigned:
            return (void)text_.unsigned_decimal(value);
        case kSigned:
            return (void)text_.decimal(static_cast<i64>(value));
        case kMode:
            return put_mode(text_, value);
        case kHex:
            return value == 0 ? (void)text_.put('0') : (void)text_.hex(value);
        default:
            put_pointer(text_, value);
    }
}

void Printer::arguments() {
    for (int i = 0; row_.pattern[i] != 0; i++) {
        if (i > 0) text_.put(", ");
        argument(i);
    }
}

void print_call(const CallRow& row, const Call& call, int fd) {
    char line[kLine];
    Text text(line, sizeof(line) - 1);
    text.put('[').decimal(sys::call(__NR_gettid)).put("] ").put(row.name).put('(');
    Printer(text, row, call).arguments();
    put_result(text, row, call);
    line[text.size()] = '\n';  // there is always room for it
    write_all(fd, line, text.size() + 1);
}

}  // namespace farcall::preload
