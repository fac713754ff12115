// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "vmm/initramfs.h"

namespace farcall::vmm {

/// True when /bin, /sbin and /lib are links into /usr, so that /usr alone holds this machine's programs.
bool has_merged_usr();

/// Adds what of this machine's /etc everybody may read, links included, and the directories of /var without
/// their files: what programs expect to find beside /usr.
void add_host_configuration(Initramfs& image);

/// The lines of a file such as /etc/passwd whose names and numbers are not in `known`.
std::string other_entries(const std::string& path, const std::string& known);

/// The path, below directory `root`, of a program: `name` itself if it has a slash, else the first in `path`
/// (directories with colons between). Throws farcall::Error: there is none.
std::string find_below(const std::string& root, const std::string& name, const std::string& path);

}  // namespace farcall::vmm
