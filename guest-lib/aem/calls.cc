// SPDX-License-Identifier: MIT
#include "guest-lib/aem/calls.h"

#include <cerrno>
#include <new>

#include "guest-lib/aem/section.h"
#include "guest-lib/aem/state.h"

namespace farcall::aem {

namespace {

constexpr unsigned kSlots = 8;
/// A wait of this length costs less than sleeping and being woken does.
constexpr uint64_t kSpinNs = 20'000;

Call handlers_call;
Call* free_calls = nullptr;

int make(Call& call) {
    call.staging = static_cast<char*>(farcall_arena_alloc(g.client, Call::kStaging, 64));
    if (call.staging == nullptr) return -ENOMEM;
    call.offset = farcall_arena_offset(g.client, call.staging);
    if (int rc = farcall_channel_create(g.client, kSlots, kSlots, 0, &call.channel); rc < 0) {
        farcall_arena_free(g.client, call.staging);
        call = {};
        return rc;
    }
    farcall_set_spin(call.channel, kSpinNs);
    return 0;
}

}  // namespace

int open_calls() {
    return make(handlers_call);
}

void close_calls() {
    farcall_channel_destroy(handlers_call.channel);
    handlers_call = {};
    while (free_calls != nullptr) {
        Call* call = free_calls;
        free_calls = call->next;
        farcall_channel_destroy(call->channel);
        delete call;
    }
}

CallLease::CallLease() {
    if (in_handler()) {
        call_ = &handlers_call;
        return;
    }
    const Section section;
    if (!g.open) {
        error_ = -EPIPE;
        return;
    }
    call_ = free_calls;
    if (call_ != nullptr) {
        free_calls = call_->next;
        return;
    }
    call_ = new (std::nothrow) Call;
    error_ = call_ == nullptr ? -ENOMEM : make(*call_);
    if (error_ < 0) {
        delete call_;
        call_ = nullptr;
    }
}

CallLease::~CallLease() {
    if (call_ == nullptr || call_ == &handlers_call) return;
    const Section section;
    call_->next = free_calls;
    free_calls = call_;
}

int CallLease::run(const fc_command& command) const {
    if (error_ < 0) return error_;
    int rc = farcall_post(call_->channel, &command);
    while (rc == 0) {
        fc_event event;
        rc = farcall_poll(call_->channel, &event, 1);
        if (rc == 1) return event.result;
        if (rc == 0) rc = farcall_wait(call_->channel, -1);
        if (rc == -EINTR) rc = 0;
    }
    return rc;
}

int run_command(const fc_command& command) {
    const CallLease lease;
    return lease.run(command);
}

}  // namespace farcall::aem
