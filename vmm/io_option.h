// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "host-lib/engine.h"

namespace CLI {
class App;
}

namespace farcall::vmm {

/// Adds `--io auto|uring|pool`. `io` must outlive the parsing.
void add_io_option(CLI::App& app, IoBackend& io);

/// What the engine uses and, where it is not what it would prefer, why: one phrase for a log.
std::string describe_io(const Engine& engine);

}  // namespace farcall::vmm
