// SPDX-License-Identifier: MIT
// Whether a path or a descriptor is the host's: below a mount of a farcall file system, a file of one, or a
// socket of the device. Decided once per descriptor and for the working directory. Mounts are read once, when
// the program starts; symbolic links that lead into or out of such a mount are not followed.
#pragma once

#include "guest-lib/preload/basic.h"

namespace farcall::preload {

void read_mounts();

bool is_host_path(const char* path);  ///< relative to the working directory
bool is_host_path_at(int directory, const char* path);
bool is_host_descriptor(u32 fd);

void forget_descriptor(u32 fd);
void forget_descriptors(u32 first, u32 last);
void copy_descriptor(u32 from, u32 to);  ///< after dup
void note_host_socket(u32 fd);
void forget_working_directory();

}  // namespace farcall::preload
