// SPDX-License-Identifier: MIT
// What a program finds in a directory, as text that must be the same wherever the directory is: run on the
// host and in a guest that has it mounted, and compared. Plain system calls, nothing of farcall.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace fscheck {

/// Prints a line: `what`, and the result or the name of errno when it is below 0. Returns the result.
long say(const char* what, long result);
/// Prints a line with a checksum of the bytes.
void say_bytes(const char* what, const void* bytes, size_t count);
/// Ends the program when the result is below 0: what the checks themselves need.
int must(int result, const char* what);

/// Bytes that depend on the seed only.
std::string noise(size_t count, unsigned seed);

// fs_check_data.cc, in the current directory. `self`: the program's own file.
void check_mappings();
void check_append();
void check_append_mapped();
void check_odd_sizes();
void check_holes();
void check_copies();
void check_program(const char* self);

// fs_check_names.cc
void check_unlinked();
void check_rename_over();
void check_exchanged_directories();
void check_exclusive();
void check_readdir();
void check_errors();
void check_attributes();
void check_directories();
void check_links();

// fs_check_wait.cc
void check_signals();
void check_locks();
void check_sockets();

}  // namespace fscheck
