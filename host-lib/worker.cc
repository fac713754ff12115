// SPDX-License-Identifier: MIT
#include "host-lib/worker.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <future>

#include "host-lib/error.h"

namespace farcall {

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
    : config_(std::move(config)),
      pool_(pool),
      doorbell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      readiness_(epoll_.get()),
      windows_(*this, pool, config_.mapped) {
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
