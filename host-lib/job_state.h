// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

namespace farcall {

/// Where a command is while it is not over, if anything about it has to be remembered: such a command is a
/// job. Jobs that wait for something to happen (a connection, data, a reply, room) are reactive, those that
/// wait for a time are periodic (FC_F_MULTISHOT) or go once. A job's steps run to completion, each on the
/// worker that owns it; workers run in parallel.
enum class JobState : uint8_t {
    kFree,       ///< no job
    kExpected,   ///< others wait for its ID; it has not been posted
    kParked,     ///< being taken up, or waiting for events
    kReady,      ///< its waits are met; in the dispatcher's queue
    kRunning,    ///< a step that may block is with the pool or the kernel: it can't be interrupted
    kTimer,      ///< until its time has come, once
    kUserEvent,  ///< until somebody sets it
    kSuspended,  ///< reactive or periodic: a Waiter knows what for
};
inline constexpr size_t kJobStates = 8;

/// What may follow on what: a row for each state, a bit for each that it may change to. Everything ends in
/// kFree.
inline constexpr auto kNextJobStates = [] {
    const auto to = [](auto... states) {
        return static_cast<uint16_t>((0u | ... | (1u << static_cast<unsigned>(states))));
    };
    using enum JobState;
    return std::array<uint16_t, kJobStates>{
        to(kExpected, kParked),  // kFree: awaited; posted
        to(kParked, kFree),      // kExpected: posted; its client is gone
        to(kReady, kRunning, kTimer, kUserEvent, kSuspended,
           kFree),           // kParked: released; started; cancelled, over
        to(kParked, kFree),  // kReady: dispatched; cancelled
        to(kFree),           // kRunning: came back
        to(kFree),           // kTimer: due; cancelled; timed out
        to(kFree),           // kUserEvent: set; cancelled; timed out
        to(kFree),           // kSuspended: over; cancelled; timed out
    };
}();

constexpr bool may_follow(JobState from, JobState to) {
    return kNextJobStates[static_cast<size_t>(from)] >> static_cast<unsigned>(to) & 1;
}

/// The state of one job. Debug builds end the process at a step that the table does not have.
class JobStateCell {
  public:
    JobStateCell() = default;
    operator JobState() const { return state_; }  // NOLINT(google-explicit-constructor)
    void enter(JobState next) {
        assert(may_follow(state_, next));
        state_ = next;
    }

  private:
    JobState state_ = JobState::kFree;
};

}  // namespace farcall
