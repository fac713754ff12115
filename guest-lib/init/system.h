// SPDX-License-Identifier: MIT
#pragma once

namespace farcall::init {

/// Standard descriptors, mounts, loopback, the module: what an unmodified kernel leaves to its first process.
/// Complains on the console and goes on.
void set_up_system();

/// Says why on the console and turns the machine off.
[[noreturn]] void power_off(const char* reason);

}  // namespace farcall::init
