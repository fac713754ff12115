// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vmm/input_file.h"

namespace farcall::vmm {

/// What an ELF file asks the dynamic linker for.
struct ElfNeeds {
    std::string interpreter;          ///< PT_INTERP; empty: static, or a library
    std::vector<std::string> needed;  ///< DT_NEEDED, in order
    std::string rpath;                ///< DT_RPATH, as written
    std::string runpath;              ///< DT_RUNPATH
};

/// Reads them by looking at the file only: nothing of it is run on this machine. Nothing when it is not ELF;
/// throws farcall::Error when it is damaged or not for x86-64.
std::optional<ElfNeeds> read_elf_needs(const InputFile& file);

}  // namespace farcall::vmm
