// SPDX-License-Identifier: MIT
#pragma once

#include <set>
#include <string>
#include <vector>

#include "vmm/elf_needs.h"
#include "vmm/initramfs.h"

namespace farcall::vmm {

/// Copies programs of this machine into an initial RAM disk, under their own paths, with what they need to
/// start: the dynamic linker, the libraries, a script's interpreter. Libraries that a program loads later by
/// itself (plug-ins, modules of an interpreted language) are not known here: add() them. Used by one thread.
class ProgramPacker {
  public:
    /// `provided`: directories that the guest has anyway; what lies there is left out.
    explicit ProgramPacker(Initramfs& to, std::vector<std::string> provided = {})
        : to_(to), provided_(std::move(provided)) {}

    /// `command` is a path or a name to look up in PATH. Returns its path in the guest: its own, unless the
    /// guest mounts something over that (/tmp). Throws farcall::Error: not found, not executable, a library
    /// that is not there.
    std::string add_program(const std::string& command);
    /// A file or a directory tree, whose symbolic links stay links; ELF files bring their libraries. Throws
    /// farcall::Error.
    void add(const std::string& host_path, const std::string& guest_path);

    /// The absolute path of `command`, or an empty string.
    static std::string find_program(const std::string& command);

  private:
    void add_closure(const std::string& host_path, unsigned depth);
    void add_elf(const std::string& host_path, const ElfNeeds& needs, unsigned depth);
    void add_script(const std::string& host_path, unsigned depth);
    void add_with_links(const std::string& host_path);
    std::string find_library(const std::string& name, const std::string& user, const ElfNeeds& needs) const;
    const std::vector<std::string>& system_directories() const;

    bool is_provided(const std::string& host_path) const;

    Initramfs& to_;
    const std::vector<std::string> provided_;
    std::set<std::string> done_;
    mutable std::vector<std::string> system_directories_;
};

}  // namespace farcall::vmm
