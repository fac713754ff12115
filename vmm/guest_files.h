// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace farcall::vmm {

/// The files that a guest is made of. Empty strings: not found.
struct GuestFiles {
    std::string name;     ///< "6.12"
    std::string kernel;   ///< vmlinux (boots faster) or bzImage
    std::string module;   ///< farcall.ko for that kernel
    std::string init;     ///< farcall-init, static
    std::string modules;  ///< directory with modules of that kernel's own

    std::string preload;   ///< libfarcall-preload.so, for unmodified programs
    std::string launcher;  ///< farcall-exec, for those without shared libraries

    bool complete() const { return !kernel.empty() && !module.empty() && !init.empty(); }
};

/// The kernel series that this release is tested with, the preferred one first.
const std::vector<std::string>& guest_names();

/// Looks in FARCALL_GUEST_DIR, <directory of this executable>/guest and <prefix>/lib/farcall/guest, in this
/// order: NAME/{vmlinux,bzImage,farcall.ko,modules}; the init lies beside them, beside the executable or in
/// <prefix>/lib/farcall.
GuestFiles find_guest_files(const std::string& name);

/// The first of guest_names() that is complete, else the first that has a kernel, else an empty one.
GuestFiles find_default_guest();

/// One sentence that says which of the files is missing and how to get it.
std::string describe_missing(const GuestFiles& files);

/// The directory of this executable.
std::string executable_directory();

}  // namespace farcall::vmm
