// SPDX-License-Identifier: MIT
#pragma once

namespace farcall::vmm {

/// Gives up what this process never needs again: the right to gain privileges, and all capabilities, except
/// (with `keep_file_access`) root's access to files of other users, for shares. While there is one thread:
/// the others inherit it. Throws farcall::Error.
void drop_privileges(bool keep_file_access);

/// From now on all threads can make only the system calls of an allow-list (sandbox.cc); any other fails with
/// EPERM. When all threads exist, before the guest's first instruction. Throws farcall::Error.
void restrict_system_calls();

}  // namespace farcall::vmm
