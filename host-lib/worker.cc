// SPDX-License-Identifier: MIT
#include "host-lib/worker.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <future>

#include "host-lib/error.h"
#include "host-lib/signals.h"

namespace farcall {
namespace {

constexpr uint32_t kBurst = 64;          ///< commands of one client in one round
constexpr uint32_t kMinBurst = 4;        ///< of a channel of which the client polls many
constexpr size_t kReadyBudget = 256;     ///< released commands of one client in one round
constexpr uint32_t kRoundsPerLook = 64;  ///< rounds between looks at the clock
constexpr uint32_t kRoundsPerCheck =
    256;                           ///< silent polls of a channel between looks at how long it has been silent
constexpr size_t kColdLooks = 16;  ///< cold channels in one round, after a doorbell
constexpr uint64_t kLookNs = 50000;  ///< how often a busy worker looks for doorbells of cold channels
/// How often it looks for sockets: latency of a suspended recv beside a busy channel, against a system call.
constexpr uint64_t kSocketLookNs = 10000;
// Epoll data: a channel's id (32 bits), Readiness::kTag and what that says, or one of these.
constexpr uint64_t kDoorbellTag = 0;        ///< the worker's own eventfd
constexpr uint64_t kUringTag = 1ull << 32;  ///< its io_uring, which the loop looks at anyway

void pause_cpu() {
    __builtin_ia32_pause();
}

}  // namespace

uint64_t monotonic_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000ull + static_cast<uint64_t>(now.tv_nsec);
}

namespace {

class FunctionMessage final : public Message {
  public:
    explicit FunctionMessage(std::function<void(Worker&)> run) : run_(std::move(run)) {}
    void run(Worker& worker) override { run_(worker); }

  private:
    std::function<void(Worker&)> run_;
};

}  // namespace

Worker::Worker(Config config, BlockingPool& pool)
    : config_(config),
      pool_(pool),
      doorbell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      readiness_(epoll_.get()) {
    if (!doorbell_ || !epoll_) throw errno_error("cannot create a worker's descriptors");
    watch(doorbell_.get(), kDoorbellTag);
    if (config_.uring) {
        uring_ = std::make_unique<UringBackend>();
        watch(uring_->fd(), kUringTag);
    }
    start_thread();
    if (config_.cpu >= 0) pin_thread();
}

void Worker::watch(int fd, uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) throw errno_error("epoll_ctl");
}

// Returns when the thread has done what a system-call filter may soon forbid.
void Worker::start_thread() {
    std::promise<int> started;
    std::future<int> result = started.get_future();
    thread_ = std::jthread([this, &started] {
        const int err = uring_ != nullptr ? uring_->start() : 0;
        started.set_value(err);
        if (err == 0) loop();
    });
    if (int err = result.get()) throw errno_error("cannot enable a worker's io_uring", -err);
    pthread_setname_np(thread_.native_handle(), ("fc-worker-" + std::to_string(config_.index)).c_str());
}

void Worker::pin_thread() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<size_t>(config_.cpu), &cpus);
    if (int err = pthread_setaffinity_np(thread_.native_handle(), sizeof(cpus), &cpus)) {
        post([this](Worker&) { stop_ = true; });
        throw errno_error(
            "cannot pin worker " + std::to_string(config_.index) + " to core " + std::to_string(config_.cpu),
            err);
    }
}

Worker::~Worker() {
    stop();
    clients_.clear();
    Message* message = nullptr;
    while (inbox_.pop(message))
        delete message;
}

void Worker::stop() {
    if (!thread_.joinable()) return;
    post([this](Worker&) { stop_ = true; });
    thread_.join();
}

void Worker::post(std::unique_ptr<Message> message) {
    inbox_.push(message.release());
    // Pairs with the barrier in sleep(): either the worker sees the message or we see that it sleeps.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!asleep_.load(std::memory_order_relaxed)) return;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = write(doorbell_.get(), &one, sizeof(one));
}

void Worker::post(std::function<void(Worker&)> run) {
    post(std::make_unique<FunctionMessage>(std::move(run)));
}

void Worker::loop() {
    block_all_signals();
    while (!stop_.load(std::memory_order_relaxed)) {
        round_++;
        bool busy = drain_inbox();
        busy |= look_at_cold();
        busy |= serve_hot();
        busy |= reap_uring();
        busy |= readiness_.run();
        busy |= run_ready();
        flush();
        if (round_ % kRoundsPerLook == 0) look_around();
        // look_around() may have released commands since run_ready(), and it takes the doorbell away: then
        // the cold channels that it rang for must be looked at before anybody sleeps.
        if (busy || !ready_.empty() || readiness_.scheduled() || looks_left_ > 0) continue;
        if (hot_.empty()) {
            sleep();
        } else {
            stats_.spins.add();
            pause_cpu();
        }
    }
    drain_inbox();
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
        const uint32_t turn =
            news ? client.allowance(std::max(kBurst / client.hot_channels, kMinBurst)) : kMinBurst;
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
    if (ready_.empty()) return false;
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
    if (uring_ == nullptr) return false;
    const bool some = uring_->reap(*this, pool_) > 0;
    return some || uring_->unsubmitted();
}

void Worker::mark_ready(Client& client) {
    if (client.queued) return;
    client.queued = true;
    ready_.push_back(client.id());
}

void Worker::flush() {
    if (uring_ != nullptr) uring_->submit();
    for (Channel* channel : dirty_)
        channel->flush();
    dirty_.clear();
}

void Worker::look_around() {
    const uint64_t now = monotonic_ns();
    if (!timers_.empty() && timers_.next() <= now) run_timers();
    if (now - last_look_ < (readiness_.interested() ? kSocketLookNs : kLookNs)) return;
    last_look_ = now;
    if (!cold_.empty() || readiness_.interested()) on_epoll(0);
}

void Worker::run_timers() {
    const uint64_t now = monotonic_ns();
    while (!timers_.empty() && timers_.next() <= now) {
        const TimerQueue::Entry entry = timers_.pop();
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
    if (looks_left_ == 0) return false;
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
    const int count = epoll_pwait2(epoll_.get(), events, std::size(events), limit, nullptr);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 & Readiness::kTag) {
            readiness_.on_event(events[i].data.u64, events[i].events);
        } else {
            on_doorbell(events[i].data.u64, events[i].events);
        }
    }
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

void Worker::add_client(std::unique_ptr<Client> client) {
    const ClientId id = client->id();
    clients_[id] = std::move(client);
}

Client* Worker::find_client(ClientId id) {
    auto found = clients_.find(id);
    return found == clients_.end() ? nullptr : found->second.get();
}

// Both kinds of number wrap around in a very long life, and must not meet themselves then.
ChannelId Worker::new_channel_id() {
    ChannelId id = 0;
    do {
        id = next_channel_++ * config_.count + config_.index;
    } while (id == kDoorbellTag || channels_.contains(id));
    return id;
}

ClientId Worker::new_client_id() {
    ClientId id = 0;
    do {
        if (next_client_ > UINT32_MAX / config_.count - 1) next_client_ = 1;
        id = next_client_++ * config_.count + config_.index;
    } while (clients_.contains(id));
    return id;
}

EventGraph* Worker::graph_of(uint32_t client) {
    Client* found = find_client(client);
    return found == nullptr ? nullptr : &found->graph();
}

EventGraph* Worker::graph_of_serial(uint32_t asker, uint32_t serial, int* err) {
    const ClientId id = find_client(asker)->domain().serials.client(serial);
    if (id != 0 && id % config_.count != config_.index) {
        *err = -EXDEV;
        return nullptr;
    }
    EventGraph* graph = id == 0 ? nullptr : graph_of(id);
    *err = graph == nullptr ? -EPERM : 0;
    return graph;
}

void Worker::released(uint32_t client, EventGraph::Ref ref) {
    if (Client* found = find_client(client)) found->released(ref);
}

void Worker::lower_deadline(uint32_t client, EventGraph::Ref ref, uint64_t when) {
    if (Client* found = find_client(client)) found->lower_deadline(ref, when);
}

std::vector<ClientId> Worker::clients_of(const DomainState& domain) const {
    std::vector<ClientId> ids;
    for (const auto& [id, client] : clients_)
        if (&client->domain() == &domain) ids.push_back(id);
    return ids;
}

void Worker::add_channel(Channel& channel) {
    channels_[channel.id()] = &channel;
    channel.hot = true;
    channel.client().hot_channels++;
    hot_.push_back(&channel);
    if (channel.doorbell_fd() < 0) return;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = channel.id();
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, channel.doorbell_fd(), &event);
}

void Worker::remove_channel(Channel& channel) {
    channels_.erase(channel.id());
    if (channel.hot) channel.client().hot_channels--;
    std::erase(hot_, &channel);
    forget_cold(channel);
    std::erase(dirty_, &channel);
    if (channel.doorbell_fd() >= 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, channel.doorbell_fd(), nullptr);
}

void Worker::reap(Client& client) {
    if (!client.gone()) return;
    std::unique_ptr<Client> last = std::move(clients_[client.id()]);
    clients_.erase(last->id());
    ControlDone done = last->take_destroyed();
    last.reset();  // regions and channels are released before the requester hears of it
    if (done) done({});
}

}  // namespace farcall
