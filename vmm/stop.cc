// SPDX-License-Identifier: MIT
#include "vmm/stop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "host-lib/error.h"

namespace farcall::vmm {

StopEvent::StopEvent() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!event_) throw errno_error("cannot create an eventfd");
}

void StopEvent::request(StopReason reason, int status, std::string text) {
    const std::scoped_lock lock(mutex_);
    if (stop_.reason != StopReason::kNone) return;
    stop_ = {reason, status, std::move(text)};
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

bool StopEvent::requested() const {
    const std::scoped_lock lock(mutex_);
    return stop_.reason != StopReason::kNone;
}

Stop StopEvent::get() const {
    const std::scoped_lock lock(mutex_);
    return stop_;
}

}  // namespace farcall::vmm
