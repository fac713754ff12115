// SPDX-License-Identifier: MIT
#include <linux/fcntl.h>

#include "guest-lib/preload/names.h"
#include "guest-lib/preload/print.h"

namespace farcall::preload {

void put_pointer(Text& text, u64 address) {
    if (address == 0)
        text.put("NULL");
    else
        text.hex(address);
}

void put_mode(Text& text, u64 mode) {
    mode &= 0177777;
    if ((mode & kTypeBits) != 0) {
        put_name(text, kFileTypeNames, mode & kTypeBits);
        text.put('|');
    }
    mode &= ~kTypeBits;
    if (mode < 010) text.put('0');  // at least three digits
    text.octal(mode);
}

void Printer::open_flags(int i) {
    const u64 flags = arg(i), access = flags & O_ACCMODE;
    text_.put(access == O_RDONLY   ? "O_RDONLY"
              : access == O_WRONLY ? "O_WRONLY"
              : access == O_RDWR   ? "O_RDWR"
                                   : "O_ACCMODE");
    if ((flags & ~static_cast<u64>(O_ACCMODE)) != 0)
        put_flags(text_.put('|'), kOpenFlagNames, static_cast<u32>(flags) & ~O_ACCMODE, "");
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE)
        put_mode(text_.put(", "), arg(i + 1) & 07777);
}

void Printer::fcntl(int i) {
    put_name(text_, kFcntlNames, arg(i));
    const u64 value = arg(i + 1);
    switch (arg(i)) {
        case F_GETFD:
        case F_GETFL:
        case F_GETOWN:
            return;
        case F_SETFD:
            return (void)text_.put(value == FD_CLOEXEC ? ", FD_CLOEXEC" : ", 0");
        case F_SETFL:
            text_.put((value & 3) == 0 ? ", O_RDONLY" : (value & 3) == 1 ? ", O_WRONLY" : ", O_RDWR");
            if ((value & ~3UL) != 0) put_flags(text_.put('|'), kOpenFlagNames, value & ~3UL, "");
            return;
        case F_GETLK:
        case F_SETLK:
        case F_SETLKW:
            return put_pointer(text_.put(", "), value);
        default:
            text_.put(", ").decimal(static_cast<int>(value));
    }
}

bool Printer::flag_argument(int i) {
    const u64 value = arg(i), low = static_cast<u32>(value);
    switch (row_.pattern[i]) {
        case kOpenFlags:
            return open_flags(i), true;
        case kAccess:
            return put_flags(text_, kAccessNames, low, "F_OK"), true;
        case kWhence:
            return put_name(text_, kWhenceNames, low), true;
        case kAtFlags:
            return put_flags(text_, kAtNames, low, "0"), true;
        case kFcntl:
            return fcntl(i), true;
        case kLock:
            return put_flags(text_, kLockNames, low, "0"), true;
        case kStatxMask:
            return put_flags(text_, kStatxMaskNames, low, "0"), true;
        case kProtection:
            return put_flags(text_, kProtectionNames, low, "PROT_NONE"), true;
        case kMapFlags:
            text_.put((low & 0xf) == 1   ? "MAP_SHARED"
                      : (low & 0xf) == 2 ? "MAP_PRIVATE"
                                         : "MAP_SHARED_VALIDATE");
            if ((low & ~0xfUL) != 0) put_flags(text_.put('|'), kMapFlagNames, low & ~0xfUL, "");
            return true;
        default:
            return false;
    }
}

}  // namespace farcall::preload
