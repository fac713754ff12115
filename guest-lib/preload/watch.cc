// SPDX-License-Identifier: MIT
#include "guest-lib/preload/watch.h"

#include <asm/errno.h>
#include <linux/fcntl.h>

#include <initializer_list>

#include "guest-lib/preload/calls.h"
#include "guest-lib/preload/config.h"
#include "guest-lib/preload/descriptors.h"
#include "guest-lib/preload/objects.h"
#include "guest-lib/preload/print.h"
#include "guest-lib/preload/summary.h"
#include "guest-lib/preload/where.h"

unsigned char fc_filter[65536];

namespace farcall::preload {

Action (*serve_first)(u32 number, Call& call) = nullptr;

namespace {

constexpr u64 kHostCall = 1;  // Call::note
constexpr u64 kHasPath = 2;

bool watching = false;
bool restricted = false;

void filter(u32 number) {
    fc_filter[number] = 1;
}

bool names_something(const char* pattern) {
    for (; *pattern != 0; pattern++)
        if (*pattern == kFd || *pattern == kDirFd || *pattern == kPath) return true;
    return false;
}

void open_trace() {
    const i64 number = number_from(config.trace);
    if (hidden(Hidden::kTrace) >= 0) return;
    if (number >= 0)
        return adopt(Hidden::kTrace, static_cast<int>(number));  // where the first program has hidden it
    const i64 fd =
        sys::call(__NR_openat, AT_FDCWD, config.trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (!failed(fd)) hide(Hidden::kTrace, static_cast<int>(fd), true);
}

/// Whether a descriptor among the arguments is the host's. Paths are not read yet: they may be anything until
/// the kernel has read them.
u64 look_at_arguments(const CallRow& row, const Call& call) {
    u64 note = 0;
    for (int i = 0; row.pattern[i] != 0; i++) {
        if (row.pattern[i] == kFd && is_host_descriptor(static_cast<u32>(call.args[i]))) note |= kHostCall;
        if (row.pattern[i] == kPath) note |= kHasPath;
    }
    return note;
}

bool has_host_path(const CallRow& row, const Call& call) {
    int directory = AT_FDCWD;
    for (int i = 0; row.pattern[i] != 0; i++) {
        if (row.pattern[i] == kDirFd) directory = static_cast<int>(call.args[i]);
        if (row.pattern[i] != kPath) continue;
        const auto* path = reinterpret_cast<const char*>(call.args[i]);
        if (path != nullptr ? is_host_path_at(directory, path)
                            : is_host_descriptor(static_cast<u32>(directory)))
            return true;
    }
    return false;
}

void forget_closed(u32 number, const Call& call) {
    if (number == __NR_close) forget_descriptor(static_cast<u32>(call.args[0]));
    if (number == __NR_dup2 || number == __NR_dup3) forget_descriptor(static_cast<u32>(call.args[1]));
    if (number == __NR_close_range)
        forget_descriptors(static_cast<u32>(call.args[0]), static_cast<u32>(call.args[1]));
}

bool duplicates(u32 number, const Call& call) {
    if (number == __NR_fcntl) return call.args[1] == F_DUPFD || call.args[1] == F_DUPFD_CLOEXEC;
    return number == __NR_dup || number == __NR_dup2 || number == __NR_dup3 || number == __NR_accept ||
           number == __NR_accept4;
}

void look_after(const CallRow& row, u32 number, const Call& call) {
    bool host = (call.note & kHostCall) != 0;
    if (!host && (call.note & kHasPath) != 0 && call.result != -EFAULT) host = has_host_path(row, call);
    if (!failed(call.result)) {
        if (number == __NR_chdir || number == __NR_fchdir) forget_working_directory();
        if (duplicates(number, call))
            copy_descriptor(static_cast<u32>(call.args[0]), static_cast<u32>(call.result));
    }
    count_call(number, host, failed(call.result));
    if (host && hidden(Hidden::kTrace) >= 0) print_call(row, call, hidden(Hidden::kTrace));
}

Action look_before(const CallRow& row, u32 number, Call& call, Action action) {
    if (restricted) {
        count_call(number, false, false);
        return action;
    }
    call.note |= look_at_arguments(row, call);
    forget_closed(number, call);
    if (action == Action::kDone) {
        look_after(row, number, call);
        return action;
    }
    if (call.note != 0 || row.opens || number == __NR_fcntl) return Action::kWatch;
    if (number == __NR_exit_group) write_summary();
    count_call(number, false, false);
    return Action::kPass;
}

}  // namespace

void begin_run() {
    if (config.inherited) return;
    config.inherited = true;
    if (config.summary != nullptr) begin_summary();
    const i64 number = config.trace != nullptr ? number_from(config.trace) : -1;
    if (number < 0) return;
    const i64 copy = sys::call(__NR_fcntl, number, F_DUPFD, 3);
    const int fd = failed(copy) ? -1 : hide(Hidden::kTrace, static_cast<int>(copy), false);
    if (fd >= 0) set_trace_descriptor(fd);
}

void start_watching() {
    begin_run();
    for (const u32 number : {__NR_mmap, __NR_munmap, __NR_execve, __NR_execveat, __NR_prctl, __NR_seccomp})
        filter(number);
    if (config.net_wanted()) filter(__NR_socket);
    if (config.summary != nullptr) open_summary();
    if (config.trace != nullptr) open_trace();
    const bool counting = config.summary != nullptr, tracing = hidden(Hidden::kTrace) >= 0;
    watching = counting || tracing;
    if (watching) read_mounts();
    for (u32 number = 0; number < kCalls; number++)
        if (counting || (tracing && (call_row(number).opens || names_something(call_row(number).pattern))))
            filter(number);
    if (tracing) watch_descriptors();
}

void watch_descriptors() {
    for (const u32 number : {__NR_close, __NR_close_range, __NR_dup2, __NR_dup3, __NR_fcntl})
        filter(number);
}

void stop_own_calls() {
    restricted = true;
    stop_patching();
}

}  // namespace farcall::preload

using farcall::preload::Action;
using farcall::preload::Call;

Action fc_before(Call* call) {
    using namespace farcall::preload;
    const auto number = static_cast<u32>(call->number);
    if (number >= kCalls) return Action::kPass;
    const CallRow& row = call_row(number);
    call->note = 0;
    if (watching && (number == __NR_execve || number == __NR_execveat)) count_call(number, false, false);
    Action action = serve_first != nullptr ? serve_first(number, *call) : Action::kPass;
    if (action == Action::kPass && row.handler != nullptr) action = row.handler(*call);
    return watching ? look_before(row, number, *call, action) : action;
}

void fc_after(Call* call) {
    using namespace farcall::preload;
    const auto number = static_cast<u32>(call->number);
    look_after(call_row(number), number, *call);
}
