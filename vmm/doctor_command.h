// SPDX-License-Identifier: MIT
#pragma once

namespace CLI {
class App;
}

namespace farcall::vmm {

/// Adds `farcall doctor`: where farcall can run on this machine, and why not elsewhere. *exit_status is 0 if
/// at least one place works.
void add_doctor_command(CLI::App& app, int* exit_status);

}  // namespace farcall::vmm
