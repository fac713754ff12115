// SPDX-License-Identifier: MIT
#pragma once

namespace farcall::vmm {

/// Gives up what this process never needs again: the right to gain privileges, and all capabilities, except
/// (with `keep_file_access`) root's access to files of other users, for shares, and (with `keep_low_ports`)
/// the right to listen on ports below 1024. While there is one thread: the others inherit it. Throws
/// farcall::Error.
void drop_privileges(bool keep_file_access, bool keep_low_ports = false);

/// From now on all threads can make only the system calls of an allow-list (sandbox.cc); any other fails with
/// EPERM. Those on sockets are in it only with `network`. When all threads exist, before the guest's first
/// instruction. Throws farcall::Error.
void restrict_system_calls(bool network);

}  // namespace farcall::vmm
