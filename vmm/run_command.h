// SPDX-License-Identifier: MIT
#pragma once

namespace CLI {
class App;
}

namespace farcall::vmm {

/// Adds `farcall run`. It runs when the command line is parsed; the process's exit status is the command's
/// own, and is kept in *exit_status. Throws farcall::Error from parse().
void add_run_command(CLI::App& app, int* exit_status);

}  // namespace farcall::vmm
