// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host-lib/engine.h"
#include "host-lib/unique_fd.h"
#include "vmm/guest_image.h"

namespace farcall::vmm {

/// A --share: a directory of this machine, and where it is mounted in the guest, or nothing.
struct ShareOption {
    ShareConfig share;
    std::string where;
};

/// DIR[:GUESTPATH][:ro|:rw]; read-only unless it says otherwise. Throws farcall::Error that names the option.
ShareOption parse_share(const std::string& text);

/// All that the guest may see of this machine's directories: what --share and --root said.
struct SharePlan {
    std::vector<ShareConfig> shares;  ///< those of --share first, in their order
    GuestTree tree;                   ///< its mounts: a directory before those below it
    UniqueFd image;                   ///< what the last share lends, if --root is a disk image
};

/// `root`: auto, host, packed, or a directory or disk image with an optional :ro or :rw. auto is host where
/// this machine's /usr has all its programs and nothing (`keep_packed`) speaks against it, else packed.
/// Throws farcall::Error.
SharePlan plan_shares(const std::vector<std::string>& shares, const std::string& root, bool keep_packed);

}  // namespace farcall::vmm
