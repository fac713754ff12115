// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "vmm/guest_image.h"

namespace farcall::vmm {

/// Size of the terminal behind `fd`, or nothing when there is none.
std::optional<TerminalSize> terminal_size(int fd);

/// Puts the terminal of stdin into raw mode, and back when destroyed, also when this process ends by exit()
/// or by a fatal signal. At most one at a time.
class RawTerminal {
  public:
    /// Throws farcall::Error when stdin is no terminal.
    RawTerminal();
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
};

}  // namespace farcall::vmm
