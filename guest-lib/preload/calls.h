// SPDX-License-Identifier: MIT
// The table of system calls: one row for each that can concern a file or a socket, or that the library
// serves.
#pragma once

#include "guest-lib/preload/call.h"

namespace farcall::preload {

constexpr u32 kCalls = 512;

/// What an argument is, for deciding where a call goes and for printing it. The letters of a row's pattern.
enum Kind : char {
    kFd = 'f',            // a descriptor
    kDirFd = 'd',         // a directory's descriptor or AT_FDCWD; the path follows
    kPath = 'P',          // a path
    kString = 's',        // any other string
    kInt = 'i',           // signed, 32 bits
    kUnsigned = 'u',      // 64 bits
    kSigned = 'l',        // 64 bits
    kHex = 'x',           //
    kPointer = 'p',       //
    kBufferIn = 'b',      // data; its length follows
    kBufferOut = 'B',     // data that the call writes, as long as the result
    kLinkOut = 'n',       // the same, of readlink
    kStatOut = 'S',       // struct stat
    kOpenFlags = 'o',     // and a mode, when there is one
    kMode = 'm',          // octal
    kAccess = 'a',        // R_OK ...
    kWhence = 'w',        //
    kVectorIn = 'v',      // struct iovec; the count follows
    kVectorOut = 'V',     //
    kAddressIn = 'A',     // struct sockaddr; its length follows
    kAddressOut = 'R',    // the same, with a pointer to its length
    kMessage = 'h',       // struct msghdr
    kMessageFlags = 'g',  // MSG_*
    kAtFlags = 'F',       // AT_*
    kFcntl = 'c',         // the command, and the argument that it takes
    kEntriesOut = 'D',    // directory entries
    kFamily = 'y',        // AF_*
    kSocketType = 't',    // SOCK_*
    kProtocol = 'r',      // IPPROTO_*
    kLevel = 'L',         // SOL_*, and the option
    kIntPointer = 'q',    // an int that the call reads; its size follows
    kStatxOut = 'X',      //
    kStatxMask = 'k',     //
    kLock = 'K',          // flock's LOCK_*
    kOffset = 'O',        // a pointer to an offset
    kHow = 'H',           // shutdown's SHUT_*
    kProtection = 'T',    // PROT_*
    kMapFlags = 'M',      // MAP_*
    kTimes = 'e',         // two struct timespec
};

struct CallRow {
    const char* name = nullptr;
    const char* pattern = "";            ///< a letter per argument
    Action (*handler)(Call&) = nullptr;  ///< may serve the call itself; also asked when nothing is traced
    bool opens = false;                  ///< its result is a descriptor
};

const CallRow& call_row(u32 number);

/// Of any call of the kernel's; nullptr: there is none with this number.
const char* call_name(u32 number);

}  // namespace farcall::preload
