// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>
#include <string>

#include "host-lib/unique_fd.h"

namespace farcall::vmm {

enum class StopReason {
    kNone,
    kGuestExit,  ///< the guest gave an exit status
    kPowerOff,   ///< ACPI power off without a status
    kReset,      ///< reset or triple fault: a reboot, which is an end here
    kFailure,    ///< KVM could not go on; `text` says why
    kSignal,     ///< `status` is the signal that ended farcall
    kTimeout,
};

struct Stop {
    StopReason reason = StopReason::kNone;
    int status = 0;
    std::string text;
};

/// The end of the virtual machine: the first request counts, and makes fd() readable. Any thread.
class StopEvent {
  public:
    /// Throws farcall::Error when out of descriptors.
    StopEvent();

    void request(StopReason reason, int status = 0, std::string text = {});
    bool requested() const;
    Stop get() const;
    int fd() const { return event_.get(); }

  private:
    mutable std::mutex mutex_;
    Stop stop_;
    UniqueFd event_;
};

}  // namespace farcall::vmm
