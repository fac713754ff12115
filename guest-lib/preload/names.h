// SPDX-License-Identifier: MIT
// Names of errors, flags and constants, as strace prints them.
#pragma once

#include "guest-lib/preload/basic.h"

namespace farcall::preload {

struct NamedValue {
    u64 value;
    const char* name;
};

/// A list that ends with a null name.
using Names = const NamedValue*;

extern const NamedValue kOpenFlagNames[], kAccessNames[], kWhenceNames[], kAtNames[], kFcntlNames[],
    kLockNames[], kFamilyNames[], kSocketTypeNames[], kProtocolNames[], kLevelNames[], kSocketOptionNames[],
    kTcpOptionNames[], kMessageFlagNames[], kShutdownNames[], kProtectionNames[], kMapFlagNames[],
    kStatxMaskNames[], kFileTypeNames[];

/// The name of one value; what has none is printed in hexadecimal.
void put_name(Text& text, Names names, u64 value);
/// The names of all bits, joined by '|'.
void put_flags(Text& text, Names names, u64 value, const char* none);
/// "ENOENT (No such file or directory)"
void put_error(Text& text, i64 error);

/// NULL, or the address in hexadecimal.
void put_pointer(Text& text, u64 address);
/// S_IFREG|0644
constexpr u64 kTypeBits = 0170000;
void put_mode(Text& text, u64 mode);

}  // namespace farcall::preload
