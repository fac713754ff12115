// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace farcall::vmm {

/// What a tiny virtual machine, run for real, says about this machine's KVM. CPU flags alone say nothing: a
/// software KVM has all of them, runs guest user mode at full speed and guest kernel mode a thousand times
/// slower.
struct KvmProbe {
    std::string problem;               ///< why there is no usable KVM at all; empty otherwise
    double user_ns = 0;                ///< one simple instruction in guest user mode (CPL3)
    double kernel_ns = 0;              ///< the same in guest kernel mode (CPL0)
    std::vector<std::string> refused;  ///< instructions of every Linux kernel that it cannot run at CPL0

    bool usable() const { return problem.empty(); }
    bool runs_guest_kernels() const;
};

/// Never throws; takes a few milliseconds (up to a second in the nested rig).
KvmProbe probe_kvm();

/// Throws farcall::Error with one sentence, naming the way out, when this machine's KVM can't run a guest
/// kernel.
void require_guest_kernels();

}  // namespace farcall::vmm
