// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace farcall::bench {

/// Where the two sides run.
struct Cores {
    int client = 0;
    int worker = 1;
};

/// `wanted` as given by the user (empty: the first two that this process may use). Throws farcall::Error.
Cores choose_cores(const std::vector<int>& wanted);

/// Pins the calling thread. Throws farcall::Error.
void pin_thread(int core);

/// What the figures depend on.
struct Machine {
    std::string cpu;
    std::string kernel;
    std::string kvm;          ///< "hardware", "software" (nested, no CPU support) or "unknown"
    std::string mitigations;  ///< what the kernel was started with: "auto", "off", …
    int cores = 0;
    double load = 0;  ///< one-minute load average when asked
};
Machine describe_machine();

}  // namespace farcall::bench
