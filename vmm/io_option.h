// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "host-lib/engine.h"

namespace CLI {
class App;
}

namespace farcall::vmm {

/// How the engine reads and writes files.
struct IoOptions {
    IoBackend backend = IoBackend::kAuto;
    uint64_t map_reads = 64ull << 20;  ///< bytes

    /// Sets what the engine is to use, and raises this process's limit of locked memory to that if it may:
    /// before privileges are dropped.
    void apply(EngineConfig& config) const;
};

/// Adds `--io` and `--map-reads`. `options` must outlive the parsing.
void add_io_options(CLI::App& app, IoOptions& options);

/// What the engine uses and, where it is not what it would prefer, why: one phrase for a log.
std::string describe_io(const Engine& engine);

}  // namespace farcall::vmm
