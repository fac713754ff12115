// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "host-lib/unique_fd.h"

namespace farcall::vmm {

/// How much of a file recognise_image() wants to see: what it knows lies in there.
inline constexpr size_t kImageHeadBytes = 68 << 10;

/// What the beginning of a file says that it is.
struct ImageContent {
    std::string
        type;  ///< of a file system that a guest may have as its root, as mount(2) calls it; or empty,
    std::string found;  ///< ... and what it seems to be instead
};

/// Looks for magic numbers, and at nothing that they announce: that is the guest kernel's business. `head`:
/// the file's first bytes, fewer if it has fewer.
ImageContent recognise_image(std::span<const std::byte> head);

/// The modules of Debian's kernels that such a root file system needs, without ".ko", in the order in which
/// they are loaded.
std::vector<std::string> image_modules(const std::string& type);

/// A root file system in a file.
struct DiskImage {
    UniqueFd file;     ///< open for what was asked for, and locked (flock) as long as it is open
    std::string type;  ///< ImageContent::type, never empty
};

/// Opens the file and locks it: a writer alone, readers among themselves, since two kernels that do not know
/// of each other must not have one file system. Throws farcall::Error that names it: not a file, not an
/// image, of a kind that cannot be written, in use.
DiskImage open_disk_image(const std::string& path, bool writable);

}  // namespace farcall::vmm
