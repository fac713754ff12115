// SPDX-License-Identifier: MIT
// What the environment asks for. Read once, when the library is loaded; the program does not see the
// variables (its own copy of the environment is without them), and exec.cc hands them on to whatever it
// executes.
#pragma once

#include "guest-lib/preload/basic.h"

namespace farcall::preload {

struct Config {
    const char* library = nullptr;   ///< as LD_PRELOAD names it
    const char* trace = nullptr;     ///< FARCALL_TRACE: a file, or the number of a descriptor
    const char* summary = nullptr;   ///< FARCALL_SUMMARY: a file
    const char* net = nullptr;       ///< FARCALL_NET: set and not "0": sockets are asked for at the device
    const char* fstype = nullptr;    ///< FARCALL_FSTYPE: file systems of this type are the host's ("farcall")
    const char* report = nullptr;    ///< FARCALL_PRELOAD_REPORT: a file for what was patched and what not
    const char* launcher = nullptr;  ///< FARCALL_EXEC: starts statically linked programs
    const char* program = nullptr;   ///< what runs, where /proc/self/exe does not tell
    bool inherited = false;          ///< FARCALL_CHILD: this is not the first program of the run
    bool glibc = false;

    bool net_wanted() const { return net != nullptr && !equal(net, "0"); }
};

extern Config config;

/// Takes the library's variables out of the environment; false: it shall do nothing here
/// (FARCALL_PRELOAD=off).
/// `hide` is false where the program's own calls may miss the library: then it hands the variables on itself.
bool take_config(char** environment, bool hide = true);
/// What was not in the environment; the strings are copied.
void set_library(const char* path);
void set_launcher(const char* path);

constexpr u64 kMaxOwnVariables = 10;

/// A variable of ours, "NAME=value", to be handed on. nullptr: no more.
const char* own_variable(u64 i);
/// Says that the trace has its own descriptor, for programs executed from now on.
void set_trace_descriptor(int fd);

/// Whether an entry of LD_PRELOAD is this library.
bool names_library(const char* entry, u64 bytes);

}  // namespace farcall::preload
