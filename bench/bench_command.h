// SPDX-License-Identifier: MIT
#pragma once

namespace CLI {
class App;
}

namespace farcall {

/// Adds `bench` with its subcommands to the command line. They run when `app` parses them and throw
/// farcall::Error.
void add_bench_command(CLI::App& app);

}  // namespace farcall
