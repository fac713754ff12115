// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

namespace farcall::test {

/// The seed of a random test: new in each run, or FARCALL_TEST_SEED to see a failure again.
inline uint32_t test_seed() {
    const char* given = getenv("FARCALL_TEST_SEED");
    return given != nullptr ? static_cast<uint32_t>(strtoul(given, nullptr, 0)) : std::random_device{}();
}

}  // namespace farcall::test
