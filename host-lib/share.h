// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "host-lib/engine.h"
#include "host-lib/handle_table.h"

namespace farcall {

/// Opens an exported directory or takes an exported file, the domain's `index`th. Throws farcall::Error that
/// names it.
std::shared_ptr<File> open_share(const ShareConfig& config, int index);

/// Opens `path` below directory `dir`; no `..`, symlink or mount leads out (-EXDEV, openat2 RESOLVE_BENEATH).
/// Only regular files and directories open: a device or FIFO that lies in a share is never touched (-EPERM).
/// `flags` are FC_OPEN_*, checked; `mode` is for new files. Returns 0 and *out, or -errno. May block: runs in
/// the blocking pool. A share that is a file opens as ".", with nothing below it (-ENOTDIR).
int open_below(const File& dir, const std::string& path, uint32_t flags, uint32_t mode,
               std::shared_ptr<File>* out);

/// The same for what exists, without FC_OPEN_CREATE and FC_OPEN_TRUNCATE, from what the kernel has in memory:
/// never blocks where files are local. -EAGAIN: that does not say.
int open_cached(const File& dir, const std::string& path, uint32_t flags, std::shared_ptr<File>* out);

/// An O_PATH descriptor of what `path` names below directory `dir`, resolved as in open_below(); a symbolic
/// link at its end is followed when `follow`. It can be looked at and has no side effects, whatever its type.
/// Returns 0 and *out, or -errno. `cached`: from what the kernel has in memory; -EAGAIN: that does not say.
int find_below(const File& dir, const std::string& path, bool follow, UniqueFd* out, bool cached = false);

/// The directory that holds (or will hold) the last name of a path, and that name.
struct Place {
    UniqueFd owned;    ///< empty when the directory is the handle's own
    int parent = -1;   ///< may be O_PATH
    std::string name;  ///< no '/' but at its end, where it means a directory; may be "." or ".."
};

/// Finds the directory as find_below() does, following links. The name is not looked up: it is for system
/// calls that change directories, which never follow a link there and refuse "." and "..". May block, as all
/// of these.
int find_place(const File& dir, const std::string& path, Place* out);

/// Opens directory `dir` once more, for reading, with a position of its own. Returns 0 and *out, or -errno.
int reopen_directory(const File& dir, UniqueFd* out);

}  // namespace farcall
