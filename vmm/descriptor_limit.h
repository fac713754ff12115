// SPDX-License-Identifier: MIT
#pragma once

namespace farcall::vmm {

/// Raises the soft limit of open files to the hard one. Each handle, channel and client takes descriptors:
/// the usual 1024 would let one client starve the others. Says so on stderr when that is not possible.
void raise_descriptor_limit();

}  // namespace farcall::vmm
