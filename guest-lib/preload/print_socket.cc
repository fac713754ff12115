// SPDX-License-Identifier: MIT
#include <asm/errno.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/uio.h>

#include "guest-lib/preload/names.h"
#include "guest-lib/preload/print.h"

namespace farcall::preload {

namespace {

constexpr u64 kUnix = 1, kInet = 2, kInet6 = 10;
constexpr u64 kTypeMask = 0xf, kNonblock = 04000, kCloexec = 02000000;
constexpr u64 kSolSocket = 1, kSolTcp = 6;

u64 swapped(u16 value) {
    return static_cast<u64>((value & 0xff) << 8 | value >> 8);
}

void put_inet6(Text& text, const sockaddr_in6& address) {
    text.put("{sa_family=AF_INET6, sin6_port=htons(")
        .unsigned_decimal(swapped(address.sin6_port))
        .put("), sin6_addr=");
    for (int i = 0; i < 16; i += 2) {
        const u64 word =
            static_cast<u64>(address.sin6_addr.s6_addr[i] << 8 | address.sin6_addr.s6_addr[i + 1]);
        if (i > 0) text.put(':');
        for (int shift = 12; shift >= 0; shift -= 4)
            if (shift == 0 || word >> shift != 0) text.put("0123456789abcdef"[word >> shift & 15]);
    }
    text.put('}');
}

/// What the kernel wrote as struct msghdr is for it.
struct Message {
    u64 name;
    u32 name_bytes;
    u64 vector;
    u64 count;
    u64 control;
    u64 control_bytes;
    u32 flags;
};

}  // namespace

void Printer::socket_address(u64 address, u64 bytes) {
    u8 raw[128] = {};
    u64 got = bytes < sizeof(raw) ? bytes : sizeof(raw) - 1;
    got = address == 0 || got < 2 ? 0 : peek(address, raw, got);
    if (got < 2) return address == 0 ? (void)text_.put("NULL") : (void)text_.hex(address);
    const u64 family = static_cast<u64>(raw[0] | raw[1] << 8);
    if (family == kInet && got >= 8) {
        text_.put("{sa_family=AF_INET, sin_port=htons(")
            .unsigned_decimal(static_cast<u64>(raw[2] << 8 | raw[3]))
            .put("), sin_addr=inet_addr(\"");
        for (int i = 4; i < 8; i++)
            text_.put(i > 4 ? "." : "").unsigned_decimal(raw[i]);
        text_.put("\")}");
    } else if (family == kInet6 && got >= sizeof(sockaddr_in6)) {
        sockaddr_in6 in6;
        memcpy(&in6, raw, sizeof(in6));
        put_inet6(text_, in6);
    } else {
        put_name(text_.put("{sa_family="), kFamilyNames, family);
        if (family == kUnix && raw[2] != 0)
            text_.put(", sun_path=\"").put(reinterpret_cast<char*>(raw) + 2).put('"');
        text_.put('}');
    }
}

void Printer::message(u64 address) {
    Message header;
    if (peek(address, &header, sizeof(header)) != sizeof(header)) return (void)text_.hex(address);
    const u64 bytes = failed_call() ? 0 : static_cast<u64>(call_.result);
    text_.put("{msg_name=");
    socket_address(header.name, header.name_bytes);
    text_.put(", msg_iov=");
    vector(header.vector, header.count, bytes);
    put_flags(text_.put(", msg_controllen=").unsigned_decimal(header.control_bytes).put(", msg_flags="),
              kMessageFlagNames, header.flags, "0");
    text_.put('}');
}

bool Printer::socket_argument(int i) {
    const u64 value = arg(i), low = static_cast<u32>(value);
    switch (row_.pattern[i]) {
        case kFamily:
            return put_name(text_, kFamilyNames, low), true;
        case kSocketType:
            if ((low & kTypeMask) != 0 || i == 1)
                put_name(text_, kSocketTypeNames, low & kTypeMask);
            else if (low == 0)
                text_.put('0');
            if ((low & kCloexec) != 0) text_.put((low & kTypeMask) != 0 ? "|" : "").put("SOCK_CLOEXEC");
            if ((low & kNonblock) != 0)
                text_.put((low & (kTypeMask | kCloexec)) != 0 ? "|" : "").put("SOCK_NONBLOCK");
            return true;
        case kProtocol:
            return put_name(text_, kProtocolNames, low), true;
        case kLevel:
            return put_name(text_, kLevelNames, low), true;
        case kMessageFlags:
            return put_flags(text_, kMessageFlagNames, low, "0"), true;
        case kHow:
            return put_name(text_, kShutdownNames, low), true;
        case kMessage:
            return message(value), true;
        case kAddressIn:
            return socket_address(value, arg(i + 1)), true;
        case kAddressOut: {
            u32 bytes = 0;
            if (failed_call() || value == 0 || peek(arg(i + 1), &bytes, sizeof(bytes)) != sizeof(bytes))
                bytes = 0;
            return socket_address(value, bytes), true;
        }
        case kIntPointer: {
            i32 number = 0;
            if (arg(i + 1) == sizeof(number) && peek(value, &number, sizeof(number)) == sizeof(number))
                text_.put('[').decimal(number).put(']');
            else
                text_.hex(value);
            return true;
        }
        case kInt:  // an option: its name depends on the level before it
            if (i == 0 || row_.pattern[i - 1] != kLevel ||
                (arg(i - 1) != kSolSocket && arg(i - 1) != kSolTcp))
                return false;
            return put_name(text_, arg(i - 1) == kSolSocket ? kSocketOptionNames : kTcpOptionNames, low),
                   true;
        default:
            return false;
    }
}

}  // namespace farcall::preload
