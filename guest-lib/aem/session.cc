// SPDX-License-Identifier: MIT
#include "guest-lib/aem/session.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <new>

#include <farcall/prep.h>

#include "guest-lib/aem/arm.h"
#include "guest-lib/aem/calls.h"
#include "guest-lib/aem/fetch.h"
#include "guest-lib/aem/notifier.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/state.h"

namespace farcall::aem {

State g;

namespace {

constexpr unsigned kBuffers = 128;
constexpr unsigned kBufferBytes = 16 << 10;
constexpr unsigned kEvents = 1024;
/// Of the arena, beside the pool: variables, and what calls use.
constexpr uint64_t kOtherBytes = 4ull << 20;
/// Address space for rings: 16384 events of 16 bytes and 256 commands, as often as there may be channels.
constexpr uint64_t kRingBytes = 64ull << 20;

std::mutex open_lock;
/// A page that the kernel clears in a child: 1 where the connection was opened.
volatile uint32_t* owner = nullptr;

int make_owner_page() {
    if (owner == nullptr) {
        void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) return -errno;
        if (::madvise(page, 4096, MADV_WIPEONFORK) < 0) return -errno;
        owner = static_cast<volatile uint32_t*>(page);
    }
    *owner = 1;
    return 0;
}

int check(const farcall_aem_options* given, farcall_aem_options& out) {
    out = given != nullptr ? *given : farcall_aem_options{};
    if ((out.flags & ~FARCALL_AEM_DISPATCH) != 0 || out.reserved[0] || out.reserved[1] || out.reserved[2])
        return -EINVAL;
    if (out.buffers == 0) out.buffers = kBuffers;
    if (out.buffer_bytes == 0) out.buffer_bytes = kBufferBytes;
    if (out.events == 0) out.events = kEvents;
    if (out.buffers > FC_MAX_POOL_BUFFERS || out.buffer_bytes > FC_MAX_POOL_BUFFER_BYTES) return -EINVAL;
    if (out.events > Table<Descriptor>::kMax) return -EINVAL;
    if (uint64_t{out.buffers} * out.buffer_bytes > 1ull << 31) return -EINVAL;
    if (out.signo != 0 && (out.signo < SIGRTMIN || out.signo > SIGRTMAX)) return -EINVAL;
    return 0;
}

/// A real-time signal that nobody handles.
int choose_signal(int wanted) {
    for (int signo = wanted != 0 ? wanted : SIGRTMAX; signo >= SIGRTMIN; signo--) {
        struct sigaction now {};
        if (::sigaction(signo, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
            now.sa_handler == SIG_DFL)
            return signo;
        if (wanted != 0) break;
    }
    return -EBUSY;
}

int make_pool() {
    const uint64_t bytes = uint64_t{g.options.buffers} * g.options.buffer_bytes;
    g.pool = static_cast<char*>(farcall_arena_alloc(g.client, bytes, 4096));
    g.buffer_use = new (std::nothrow) BufferUse[g.options.buffers]{};
    if (g.pool == nullptr || g.buffer_use == nullptr) return -ENOMEM;
    g.buffers_free = g.options.buffers;
    fc_command command;
    farcall_prep_buffers(&command, 0, farcall_arena_offset(g.client, g.pool), g.options.buffer_bytes,
                         g.options.buffers);
    const InHandler own_call;
    const int rc = run_command(command);
    if (rc < 0) return rc;
    g.pool_handle = static_cast<uint32_t>(rc);
    return 0;
}

int set_up(const char* where, const farcall_aem_options& options) {
    g.options = options;
    g.dispatch_only = (options.flags & FARCALL_AEM_DISPATCH) != 0;
    farcall_options client{};
    client.arena_bytes = uint64_t{options.buffers} * options.buffer_bytes + kOtherBytes;
    client.channel_bytes = kRingBytes;
    if (int rc = farcall_open(where, &client, &g.client); rc < 0) return rc;
    if (int rc = make_owner_page(); rc < 0) return rc;
    if (int rc = open_calls(); rc < 0) return rc;
    if (int rc = make_pool(); rc < 0) return rc;
    const int signo = g.dispatch_only ? 0 : choose_signal(options.signo);
    if (signo < 0) return signo;
    if (int rc = notifier().start(signo); rc < 0) return rc;
    uint64_t room = 0;
    while (room < options.events) {
        if (int rc = add_channel(); rc < 0) return rc;
        room += g.channels[g.channel_count.load() - 1].most;
    }
    g.open = true;
    return 0;
}

void drop_everything() {
    for (uint32_t i = 0; i < g.channel_count.load(); i++)
        farcall_channel_destroy(g.channels[i].channel);
    close_calls();
    farcall_close(g.client);
    delete[] g.buffer_use;
    g.descriptors.unmap();
    g.sockets.unmap();
    g.nodes.unmap();
    g.timers.unmap();
    g.~State();
    new (&g) State;
}

}  // namespace

int ensure_open() {
    if (owner != nullptr && *owner == 0) forget_parent();
    if (g.open) return g.dead ? -EPIPE : 0;
    const int rc = farcall_aem_init(nullptr, nullptr);
    return rc == -EALREADY ? 0 : rc;
}

void forget_parent() {
    new (&open_lock) std::mutex;
    reset_sections();
    const int signo = notifier().signo();
    if (signo != 0) ::signal(signo, SIG_DFL);
    notifier().forget();
    drop_everything();
    // Until it opens a connection of its own, there is nothing to forget.
    *owner = 1;
}

uint64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

int fail(int error) {
    errno = -error;
    return error;
}

}  // namespace farcall::aem

using namespace farcall::aem;

int farcall_aem_init(const char* where, const farcall_aem_options* options) {
    farcall_aem_options complete;
    if (int rc = check(options, complete); rc < 0) return fail(rc);
    if (owner != nullptr && *owner == 0) forget_parent();
    std::lock_guard guard(open_lock);
    if (g.open) return fail(-EALREADY);
    const int rc = set_up(where, complete);
    if (rc == 0) return 0;
    notifier().stop();
    drop_everything();
    return fail(rc);
}

int farcall_aem_exit(void) {
    if (in_handler()) return fail(-EDEADLK);
    if (owner != nullptr && *owner == 0) forget_parent();
    std::lock_guard guard(open_lock);
    if (!g.open) return 0;
    if (!running.try_acquire()) return fail(-EBUSY);
    notifier().stop();
    drop_everything();
    running.release();
    return 0;
}

void farcall_aem_hold(void) {
    defer();
}

void farcall_aem_unhold(void) {
    undefer();
}
