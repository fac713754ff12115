// SPDX-License-Identifier: MIT
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "guest-lib/aem/fetch.h"
#include "guest-lib/aem/forker.h"
#include "guest-lib/aem/notifier.h"
#include "guest-lib/aem/run.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/session.h"

using namespace farcall::aem;

namespace {

constexpr int kRetryMs = 10;  ///< until a fork that failed is tried again

/// Handlers of one call, where nothing else looks at the channels: so that the caller gets its turn in a
/// storm, too.
constexpr int kRound = 256;

/// Sleeps until a channel, or somebody of this process, has something to say.
int sleep_until_word(int timeout_ms) {
    pollfd entries[kMaxChannels + 1];
    const uint32_t channels = g.channel_count.load();
    for (uint32_t i = 0; i < channels; i++)
        entries[i] = {farcall_channel_fd(g.channels[i].channel), POLLIN, 0};
    entries[channels] = {notifier().word_fd(), POLLIN, 0};
    // In a program with signals the word is its own thread's business.
    const nfds_t count = g.dispatch_only ? channels + 1 : channels;
    const int rc = ::poll(entries, count, timeout_ms);
    if (rc < 0) return -errno;
    if (g.dispatch_only && entries[channels].revents != 0) notifier().take_word();
    for (uint32_t i = 0; i < channels; i++) {
        // What is readable may be an old interrupt, of a channel that has been armed since. Arming takes it
        // back.
        if (entries[i].revents != 0) arm_channel(i);
    }
    return rc;
}

/// What others do in programs with signals.
bool serve() {
    if (!g.dispatch_only) return true;
    notifier().serve_growth();
    return serve_forks();
}

int left_ms(uint64_t end) {
    const uint64_t now = now_ns();
    return now >= end ? 0 : static_cast<int>(std::min<uint64_t>((end - now + 999'999) / 1'000'000, INT_MAX));
}

int dispatch(int timeout_ms) {
    const uint64_t end = now_ns() + uint64_t(timeout_ms < 0 ? 0 : timeout_ms) * 1'000'000;
    for (;;) {
        const int count = drain(g.dispatch_only ? kRound : INT_MAX);
        const bool served = serve();
        if (count > 0) return count;
        if (g.dead) return -EPIPE;
        int wait = timeout_ms < 0 ? -1 : left_ms(end);
        if (wait == 0) return 0;
        if (!served) wait = wait < 0 ? kRetryMs : std::min(wait, kRetryMs);
        const int rc = sleep_until_word(wait);
        if (rc < 0) return drain(INT_MAX) > 0 ? 1 : rc;
    }
}

}  // namespace

int farcall_dispatch(int timeout_ms) {
    if (in_handler()) return fail(-EDEADLK);
    if (int rc = ensure_open(); rc < 0) return fail(rc);
    if (!running.try_acquire()) return fail(-EBUSY);
    const int count = dispatch(timeout_ms);
    // Word that was left meanwhile is for a thread that is interrupted: it asks itself again.
    if (running.release() && !g.dispatch_only) notifier().raise();
    return count < 0 ? fail(count) : count;
}
