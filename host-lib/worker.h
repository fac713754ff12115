// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <boost/lockfree/queue.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "host-lib/blocking_pool.h"
#include "host-lib/client.h"
#include "host-lib/message.h"
#include "host-lib/readiness.h"
#include "host-lib/stats.h"
#include "host-lib/timer_queue.h"
#include "host-lib/uring_backend.h"
#include "host-lib/window_cache.h"

namespace farcall {

/// One thread, pinned to a dedicated core where there is one, that serves the channels of its clients and
/// owns all their state. Other threads talk to it by messages only.
class Worker : private GraphDirectory {
  public:
    struct Config {
        unsigned index = 0;
        unsigned count = 1;  ///< workers of the engine
        int cpu = -1;        ///< -1: not pinned
        std::chrono::nanoseconds spin{50000};
        bool uring = false;              ///< jobs go to an io_uring where they can
        std::shared_ptr<Budget> mapped;  ///< bytes of files that may be mapped and locked; nullptr: none
    };

    /// Starts the thread. Throws farcall::Error.
    Worker(Config config, BlockingPool& pool);
    ~Worker() override;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Ends the thread. Messages that come later are never run.
    void stop();

    // From any thread.
    void post(std::unique_ptr<Message> message);
    void post(std::function<void(Worker&)> run);
    int doorbell_fd() const { return doorbell_.get(); }
    WorkerStats& stats() { return stats_; }
    unsigned index() const { return config_.index; }

    // On the worker's thread only.
    BlockingPool& pool() { return pool_; }
    /// Takes the job if the worker's io_uring can do it; it is handed to the kernel before the round ends.
    bool run_in_kernel(std::unique_ptr<Job>& job) { return uring_ != nullptr && uring_->take(job); }
    TimerQueue& timers() { return timers_; }
    Readiness& readiness() { return readiness_; }
    WindowCache& windows() { return windows_; }
    /// Where the next bind to port 0 begins to look: not where the last one did.
    uint32_t next_port() { return next_port_++; }
    /// Counts turns of the worker's loop.
    uint64_t round() const { return round_; }
    ChannelId new_channel_id();
    ClientId new_client_id();
    GraphDirectory& graphs() { return *this; }
    EventGraph* graph_of_serial(uint32_t asker, uint32_t serial, int* err) override;
    void add_client(std::unique_ptr<Client> client);
    Client* find_client(ClientId id);
    std::vector<ClientId> clients_of(const DomainState& domain) const;
    void add_channel(Channel& channel);
    void remove_channel(Channel& channel);
    void mark_dirty(Channel& channel) {
        if (channel.dirty) return;
        channel.dirty = true;
        dirty_.push_back(&channel);
    }
    void mark_ready(Client& client);
    /// Forgets the client if it has been destroyed and nothing of it is in use any more.
    void reap(Client& client);

  private:
    // Epoll data: a channel's id (32 bits), Readiness::kTag and what that says, or one of these.
    static constexpr uint64_t kDoorbellTag = 0;        ///< the worker's own eventfd
    static constexpr uint64_t kUringTag = 1ull << 32;  ///< its io_uring, which the loop looks at anyway

    EventGraph* graph_of(uint32_t client) override;
    void released(uint32_t client, EventGraph::Ref ref) override;
    void lower_deadline(uint32_t client, EventGraph::Ref ref, uint64_t when) override;
    void start_thread();
    void pin_thread();
    void watch(int fd, uint64_t tag);
    void loop();
    [[gnu::noinline]] void make_way();
    bool serve_hot();
    bool reap_uring();
    bool run_ready();
    bool drain_inbox();
    void run_timers();
    void drain_doorbell(Channel& channel, uint32_t events);
    void flush();
    void look_around();
    void warm(Channel& channel);
    void cool(Channel& channel);
    void forget_cold(Channel& channel);
    bool look_at_cold();
    void sleep();
    void on_epoll(int timeout_ms);
    void on_doorbell(uint64_t data, uint32_t events);

    const Config config_;
    BlockingPool& pool_;
    WorkerStats stats_;
    UniqueFd doorbell_;
    UniqueFd epoll_;
    std::unique_ptr<UringBackend> uring_;
    Readiness readiness_;
    WindowCache windows_;
    boost::lockfree::queue<Message*> inbox_{256};
    std::atomic<bool> asleep_{false};
    std::atomic<bool> stop_{false};
    std::map<ClientId, std::unique_ptr<Client>> clients_;
    std::map<ChannelId, Channel*> channels_;
    using ColdList = boost::intrusive::list<
        Channel,
        boost::intrusive::member_hook<Channel, boost::intrusive::list_member_hook<>, &Channel::cold_link>>;

    std::vector<Channel*> hot_;                   ///< polled in each round
    ColdList cold_;                               ///< armed: their clients ring the doorbell
    ColdList::iterator next_look_ = cold_.end();  ///< where look_at_cold() goes on
    size_t looks_left_ = 0;                       ///< cold channels still to be looked at for a doorbell
    std::vector<Channel*> dirty_;
    std::vector<ClientId> ready_;
    TimerQueue timers_;
    uint32_t next_channel_ = 1;
    uint32_t next_client_ = 1;
    uint64_t round_ = 0;
    uint64_t busy_round_ = 0;  ///< the last one with something to do
    uint32_t next_port_ = 0;
    uint64_t last_look_ = 0;
    std::jthread thread_;
};

}  // namespace farcall
