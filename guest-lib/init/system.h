// SPDX-License-Identifier: MIT
#pragma once

namespace farcall::init {

/// Standard descriptors, mounts, loopback, the module: what an unmodified kernel leaves to its first process.
/// Complains on the console and goes on.
void set_up_system();

/// Loads a module of the kernel; one that is loaded already is fine. 0, or -errno.
int load_module(const char* path, const char* parameters);

/// Says why on the console and turns the machine off.
[[noreturn]] void power_off(const char* reason);

}  // namespace farcall::init
