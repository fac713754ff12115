// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "host-lib/engine.h"
#include "host-lib/handle_table.h"

namespace farcall {

/// Opens an exported directory. Throws farcall::Error that names it.
std::shared_ptr<File> open_share(const ShareConfig& config);

/// Opens `path` below directory `dir`; no `..`, symlink or mount leads out (-EXDEV, openat2 RESOLVE_BENEATH).
/// Only regular files and directories open: a device or FIFO that lies in a share is never touched (-EPERM).
/// `flags` are FC_OPEN_*, checked; `mode` is for new files. Returns 0 and *out, or -errno. May block: runs in
/// the blocking pool.
int open_below(const File& dir, const std::string& path, uint32_t flags, uint32_t mode,
               std::shared_ptr<File>* out);

}  // namespace farcall
