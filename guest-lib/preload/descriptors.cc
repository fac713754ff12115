// SPDX-License-Identifier: MIT
#include "guest-lib/preload/descriptors.h"

#include <asm/errno.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/resource.h>

#include "guest-lib/preload/fork_state.h"
#include "guest-lib/preload/where.h"

namespace farcall::preload {

namespace {

constexpr int kHiddenCount = static_cast<int>(Hidden::kCount);
constexpr u64 kHighest = 1024;  // a table of descriptors is as long as its highest number

int hidden_fds[kHiddenCount] = {-1, -1};

bool is_hidden(u64 fd) {
    for (const int each : hidden_fds)
        if (each >= 0 && static_cast<u32>(each) == static_cast<u32>(fd)) return true;
    return false;
}

i64 move_high(int fd, bool close_on_exec) {
    rlimit64 limit{kHighest, kHighest};
    sys::call(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
    const int command = close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD;
    i64 moved = -EMFILE;
    for (u64 number = (limit.rlim_cur < kHighest ? limit.rlim_cur : kHighest) - 16;
         failed(moved) && number >= 3; number /= 2)
        moved = sys::call(__NR_fcntl, fd, command, number);
    return moved;
}

}  // namespace

int hide(Hidden which, int fd, bool close_on_exec) {
    const i64 moved = move_high(fd, close_on_exec);
    if (failed(moved)) return static_cast<int>(moved);
    sys::call(__NR_close, fd);
    int& place = hidden_fds[static_cast<int>(which)];
    const int old = place;
    place = static_cast<int>(moved);
    if (old >= 0) sys::call(__NR_close, old);
    forget_descriptor(static_cast<u32>(moved));
    return place;
}

void adopt(Hidden which, int fd) {
    if (sys::call(__NR_fcntl, fd, F_GETFD) >= 0) hidden_fds[static_cast<int>(which)] = fd;
}

void lose(Hidden which) {
    hidden_fds[static_cast<int>(which)] = -1;
}

int hidden(Hidden which) {
    return hidden_fds[static_cast<int>(which)];
}

Action on_close(Call& call) {
    if (is_hidden(call.args[0])) {
        call.result = -EBADF;
        return Action::kDone;
    }
    return Action::kPass;
}

// In pieces, around ours.
Action on_close_range(Call& call) {
    const u64 first = static_cast<u32>(call.args[0]), last = static_cast<u32>(call.args[1]);
    u64 flags = call.args[2];
    bool any = false;
    for (const int fd : hidden_fds)
        any = any || (fd >= 0 && static_cast<u64>(fd) >= first && static_cast<u64>(fd) <= last);
    if (!any) return Action::kPass;
    call.result = 0;
    for (u64 begin = first; begin <= last;) {
        u64 end = last + 1;
        for (const int fd : hidden_fds)
            if (fd >= 0 && static_cast<u64>(fd) >= begin && static_cast<u64>(fd) < end)
                end = static_cast<u64>(fd);
        if (end > begin) {
            call.result = sys::call(__NR_close_range, begin, end - 1, flags);
            if (call.result != 0) break;
            flags &= ~static_cast<u64>(CLOSE_RANGE_UNSHARE);  // once is enough
        }
        begin = end + 1;
    }
    return Action::kDone;
}

Action on_dup2(Call& call) {
    if (is_hidden(call.args[0])) {
        call.result = -EBADF;
        return Action::kDone;
    }
    for (int& fd : hidden_fds) {
        if (fd < 0 || static_cast<u32>(fd) != static_cast<u32>(call.args[1])) continue;
        if (in_vforked_child()) continue;  // its own copy: it does without
        const i64 flags = sys::call(__NR_fcntl, fd, F_GETFD);
        const i64 moved = move_high(fd, (flags & FD_CLOEXEC) != 0);
        fd = failed(moved) ? -1 : static_cast<int>(moved);  // the program's copy takes its place
    }
    return Action::kPass;
}

Action on_fcntl(Call& call) {
    if (!is_hidden(call.args[0])) return Action::kPass;
    call.result = -EBADF;
    return Action::kDone;
}

}  // namespace farcall::preload
