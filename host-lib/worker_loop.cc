// SPDX-License-Identifier: MIT
// What a worker's thread does round by round: commands, released work, timers, doorbells, sleep.
#include <sched.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "host-lib/signals.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr uint32_t kBurst = 64;          ///< commands of one client in one round, when nobody else is polled
constexpr uint32_t kSharedBurst = 16;    ///< else: what a client in a hurry may find before it
constexpr uint32_t kMinBurst = 4;        ///< of a channel of which the client polls many
constexpr size_t kReadyBudget = 256;     ///< released commands of one client in one round
constexpr uint32_t kRoundsPerLook = 64;  ///< rounds between looks at the clock
constexpr uint32_t kRoundsPerCheck =
    256;                           ///< silent polls of a channel between looks at how long it has been silent
constexpr size_t kColdLooks = 16;  ///< cold channels in one round, after a doorbell
constexpr uint64_t kLookNs = 50000;  ///< how often a busy worker looks for doorbells of cold channels
/// How often a worker that has nothing to do offers its core to those that work for it.
constexpr uint32_t kRoundsPerYield = 16;
/// How often it looks for sockets: latency of a suspended recv beside a busy channel, against a system call.
/// A worker that only polls looks whenever it looks at the clock: nobody waits for it meanwhile.
constexpr uint64_t kSocketLookNs = 10000;

/// epoll_wait() with a limit in ns, or in ms where that is not to be had (before Linux 5.11, some emulators):
/// nullptr is none.
int wait_for_events(int epoll, std::span<epoll_event> events, const timespec* limit) {
    const int most = static_cast<int>(events.size());
    const int count = epoll_pwait2(epoll, events.data(), most, limit, nullptr);
    if (count >= 0 || errno != ENOSYS) return count;
    if (limit == nullptr) return epoll_wait(epoll, events.data(), most, -1);
    constexpr time_t kDay = 86400;
    const time_t seconds = std::min(limit->tv_sec, kDay);
    return epoll_wait(epoll, events.data(), most,
                      static_cast<int>(seconds * 1000 + (limit->tv_nsec + 999999) / 1000000));
}

void pause_cpu() {
    __builtin_ia32_pause();
}

}  // namespace

void Worker::loop() {
    block_all_signals();
    while (!stop_.load(std::memory_order_relaxed)) {
        round_++;
        // In most rounds only the channels have something: the others' share of its length is a load each.
        bool busy = drain_inbox();
        if (looks_left_ > 0) busy |= look_at_cold();
        busy |= serve_hot();
        if (uring_ != nullptr && uring_->busy()) busy |= reap_uring();
        if (readiness_.scheduled()) busy |= readiness_.run();
        if (!ready_.empty()) busy |= run_ready();
        flush();
        if (round_ % kRoundsPerLook == 0) look_around();
        // look_around() may have released commands since run_ready(), or completed some since flush(), whose
        // interrupts are still to be raised; and it takes the doorbell away: then the cold channels that it
        // rang for must be looked at before anybody sleeps.
        if (busy) busy_round_ = round_;
        if (busy || !ready_.empty() || !dirty_.empty() || readiness_.scheduled() || looks_left_ > 0) continue;
        if (hot_.empty()) {
            sleep();
        } else {
            stats_.spins.add();
            pause_cpu();
            if (round_ % kRoundsPerYield == 0) make_way();
        }
    }
    drain_inbox();
}

// Jobs of ours are with threads that may be waiting for a core. Where vCPUs and workers have all of them,
// nobody else leaves one to them before a tick.
void Worker::make_way() {
    if (pool_.waiting() || (uring_ != nullptr && uring_->busy())) sched_yield();
}

bool Worker::drain_inbox() {
    if (inbox_.empty()) return false;
    Message* message = nullptr;
    while (inbox_.pop(message)) {
        message->run(*this);
        delete message;
    }
    return true;
}

bool Worker::serve_hot() {
    bool busy = false;
    for (size_t i = 0; i < hot_.size(); i++) {
        Channel& channel = *hot_[i];
        // Most polls find nothing: they shall cost a load, not a call. What is released has its own list.
        const bool news = channel.ready() || channel.starved();
        Client& client = channel.client();
        // A client's channels share its turn, so that many channels are not many turns.
        const uint32_t burst = client.hot_channels == hot_.size() ? kBurst : kSharedBurst;
        const uint32_t turn =
            news ? client.allowance(std::max(burst / client.hot_channels, kMinBurst)) : kMinBurst;
        if (turn == 0) {
            channel.silent_rounds = 0;  // over its rate: its commands wait in the ring
            continue;
        }
        if (news && client.serve(channel, turn) > 0) {
            channel.silent_rounds = 0;
            busy = true;
            flush();
            continue;
        }
        if (++channel.silent_rounds % kRoundsPerCheck != 0) continue;
        const uint64_t now = monotonic_ns();
        if (channel.silent_rounds == kRoundsPerCheck) channel.silent_since = now;
        if (now - channel.silent_since < static_cast<uint64_t>(config_.spin.count())) continue;
        if (!channel.arm()) continue;
        cool(channel);
        hot_[i--] = hot_.back();
        hot_.pop_back();
    }
    return busy;
}

bool Worker::run_ready() {
    const std::vector<ClientId> round = std::exchange(ready_, {});
    for (const ClientId id : round) {
        Client* client = find_client(id);
        if (client == nullptr) continue;
        client->queued = false;
        if (client->run_ready(kReadyBudget) > 0) mark_ready(*client);
        reap(*client);
    }
    return true;
}

bool Worker::reap_uring() {
    const bool some = uring_->reap(*this, pool_) > 0;
    return some || uring_->unsubmitted();
}

void Worker::mark_ready(Client& client) {
    if (client.queued) return;
    client.queued = true;
    ready_.push_back(client.id());
}

void Worker::flush() {
    if (uring_ != nullptr && uring_->busy()) uring_->submit();
    for (Channel* channel : dirty_)
        channel->flush();
    dirty_.clear();
}

void Worker::look_around() {
    const uint64_t now = monotonic_ns();
    if (!timers_.empty() && timers_.next() <= now) run_timers();
    const bool idle = round_ - busy_round_ >= kRoundsPerLook;
    const uint64_t every = !readiness_.interested() ? kLookNs : idle ? 0 : kSocketLookNs;
    if (now - last_look_ < every) return;
    last_look_ = now;
    if (!cold_.empty() || readiness_.interested()) on_epoll(0);
}

void Worker::run_timers() {
    const uint64_t now = monotonic_ns();
    TimerQueue::Entry entry;
    while (timers_.pop_due(now, &entry)) {
        if (Client* client = find_client(entry.client)) client->timer_due(entry, now);
    }
    flush();
}

void Worker::warm(Channel& channel) {
    if (channel.hot) return;
    channel.disarm();
    channel.hot = true;
    channel.client().hot_channels++;
    channel.silent_rounds = 0;
    forget_cold(channel);
    hot_.push_back(&channel);
}

void Worker::cool(Channel& channel) {
    channel.hot = false;
    channel.client().hot_channels--;
    cold_.push_back(channel);
    if (looks_left_ > 0) looks_left_++;  // it may come up before those for which the doorbell rang
}

void Worker::forget_cold(Channel& channel) {
    if (!channel.cold_link.is_linked()) return;
    const auto place = cold_.iterator_to(channel);
    if (next_look_ == place) ++next_look_;
    cold_.erase(place);
}

// The doorbell does not say whose it is. Looking at thousands of rings takes longer than a busy channel
// should wait, so that each round looks at a few; a further doorbell meanwhile makes it one more lap from
// here.
bool Worker::look_at_cold() {
    for (size_t i = 0; i < kColdLooks && looks_left_ > 0 && !cold_.empty(); i++, looks_left_--) {
        if (next_look_ == cold_.end()) next_look_ = cold_.begin();
        Channel& channel = *next_look_++;
        if (channel.has_news()) warm(channel);
    }
    if (cold_.empty()) looks_left_ = 0;
    return true;
}

void Worker::sleep() {
    asleep_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    // Every channel is armed and was looked at after that; the inbox is looked at now; then nothing can be
    // missed.
    if (inbox_.empty()) {
        stats_.sleeps.add();
        on_epoll(-1);
    }
    asleep_.store(false, std::memory_order_relaxed);
    if (!timers_.empty()) run_timers();
}

void Worker::on_epoll(int timeout_ms) {
    epoll_event events[32];
    timespec timeout{};
    timespec* limit = timeout_ms == 0 ? &timeout : nullptr;
    if (timeout_ms < 0 && !timers_.empty()) {
        const uint64_t now = monotonic_ns();
        const uint64_t left = timers_.next() > now ? timers_.next() - now : 0;
        timeout = {static_cast<time_t>(left / 1000000000ull), static_cast<long>(left % 1000000000ull)};
        limit = &timeout;
    }
    const int count = wait_for_events(epoll_.get(), events, limit);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 & Readiness::kTag) {
            readiness_.on_event(events[i].data.u64, events[i].events);
        } else {
            on_doorbell(events[i].data.u64, events[i].events);
        }
    }
    if (readiness_.scheduled()) readiness_.run();
}

void Worker::on_doorbell(uint64_t data, uint32_t events) {
    if (data == kDoorbellTag) {
        uint64_t rings;
        [[maybe_unused]] const ssize_t n = read(doorbell_.get(), &rings, sizeof(rings));
        stats_.doorbells.add();
        looks_left_ = cold_.size();
        return;
    }
    if (data == kUringTag) return;
    auto found = channels_.find(static_cast<ChannelId>(data));
    if (found == channels_.end()) return;
    drain_doorbell(*found->second, events);
    if (found->second->has_news()) warm(*found->second);
}

// The client may ring as often as it likes; what it sent is thrown away, a bounded amount at a time.
void Worker::drain_doorbell(Channel& channel, uint32_t events) {
    char rings[4096];
    const ssize_t n = read(channel.doorbell_fd(), rings, sizeof(rings));
    if (n > 0) stats_.doorbells.add();
    if (n > 0 && (events & (EPOLLHUP | EPOLLERR)) == 0) return;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // The other end is gone: without this the descriptor would keep the worker awake until the client is
    // destroyed.
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, channel.doorbell_fd(), nullptr);
}

}  // namespace farcall
