// SPDX-License-Identifier: MIT
#pragma once

namespace CLI {
class App;
}

namespace farcall::vmm {

/// Adds `farcall top`, which shows the statistics of a running `farcall run` or `farcall serve` (--control).
void add_top_command(CLI::App& app);

}  // namespace farcall::vmm
