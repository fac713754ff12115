// SPDX-License-Identifier: MIT
#pragma once

namespace CLI {
class App;
}

namespace farcall::vmm {

/// Adds `farcall serve`, the local transport's server: runs until SIGINT or SIGTERM. Throws farcall::Error
/// from parse().
void add_serve_command(CLI::App& app);

}  // namespace farcall::vmm
