// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "host-lib/channel.h"
#include "host-lib/domain_state.h"
#include "host-lib/event_graph.h"
#include "host-lib/handle_table.h"
#include "host-lib/ops.h"
#include "host-lib/rate_limit.h"
#include "host-lib/ready_queue.h"
#include "host-lib/region.h"
#include "host-lib/timer_queue.h"
#include "host-lib/waiter.h"

namespace farcall {

class Worker;

/// One client: owner of channels, regions, handles and event IDs. All of it is used by its worker only.
class Client {
  public:
    Client(ClientId id, std::shared_ptr<DomainState> domain, SerialTable::Taken serial,
           const NewClient& wanted, Worker& worker);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    ClientId id() const { return id_; }
    DomainState& domain() const { return *domain_; }
    Worker& worker() const { return worker_; }
    RegionTable& regions() { return regions_; }
    HandleTable& handles() { return handles_; }
    EventGraph& graph() { return graph_; }
    ServiceState& services() { return services_; }
    const ClientPeer& peer() const { return stats_->peer; }
    ClientStats& stats() { return *stats_; }
    /// Becomes readable when the client goes away, or when its detached commands have to end, if the task is
    /// one; for streams, whose commands may wait for ever.
    int cancel_fd(const Task& task);

    // Control path.
    ControlResult create_channel(ChannelConfig config);
    ControlResult destroy_channel(ChannelId channel);
    ControlResult add_region(RegionConfig config);
    void remove_region(uint32_t key, ControlDone done);
    ControlResult allocate_ids(uint64_t count);
    /// Closes the channels, drops what is parked and not detached, asks streams to stop. `done` is called
    /// once nothing is in use any more, from a later round of the worker; the worker forgets the client then.
    void destroy(ControlDone done);
    /// Cancels what a destroyed client left running detached. Nothing happens to one that lives.
    void end_detached();
    bool dying() const { return dying_; }
    bool gone() const { return dying_ && running_ == 0 && graph_.live_nodes() == 0; }
    ControlDone take_destroyed() { return std::exchange(destroyed_, nullptr); }

    bool queued = false;  ///< in the worker's list of clients with released commands

    // Data path.
    /// Takes up to `burst` commands off the channel. Returns how many.
    uint32_t serve(Channel& channel, uint32_t burst);
    /// Starts a command that was taken off its channel and uses nothing of the event graph. Returns its
    /// result, for its event, or kPending.
    int64_t run_simple(Task& task);
    /// Completes a command that run_simple() started, or would have.
    void answer(Channel& channel, const fc_command& command, int64_t result);
    /// Runs commands whose waits are met, at most `budget`. Returns how many are left.
    size_t run_ready(size_t budget);
    /// Counts a completed command.
    void account(const fc_command& command, int64_t result);
    /// How many commands the client may have taken now; 0 while it is over its rate.
    uint32_t allowance(uint32_t wanted) {
        return rate_.limited() ? rate_.available(wanted, monotonic_ns()) : wanted;
    }
    uint32_t hot_channels = 0;  ///< channels that the worker polls: they share one client's turn
    /// Completes a command: result variable, event, ID, dependents.
    void finish(Task& task, int64_t result, uint8_t event_flags = 0);
    /// An entry of the worker's queue is due, and no longer in it.
    void timer_due(const TimerQueue::Entry& entry, uint64_t now);
    /// A command of this client was released, or its deadline lowered, by another's.
    void released(EventGraph::Ref ref);
    void lower_deadline(EventGraph::Ref ref, uint64_t when);

    /// Gives a task that now runs elsewhere to the worker's io_uring, if there is one and the job can be said
    /// that way, else to `pool`. Returns kPending, or -ENOSPC.
    int64_t run_elsewhere(Task& task, std::unique_ptr<class FileJob> job, BlockingPool& pool);
    void job_back(uint32_t node, int64_t result);

    /// Lets a task wait for something outside of the graph until resume(), and owns what waits for it. It can
    /// be cancelled at any time, which destroys the waiter. Returns kPending, or -ENOSPC.
    int64_t suspend(Task& task, std::unique_ptr<Waiter> waiter);
    /// What a suspended command waits for; nullptr if it is over already.
    Waiter* waiter(EventGraph::Ref ref);
    /// Completes a suspended command and destroys its waiter. Nothing happens if it is over already.
    void resume(EventGraph::Ref ref, int64_t result, uint8_t event_flags = 0);
    /// An event (FC_E_MORE) of a suspended FC_F_MULTISHOT command, which goes on. False: no event slot is
    /// free; nothing happened, and the waiter's on_credit() is called when there may be one.
    bool shot(EventGraph::Ref ref, int64_t result, uint8_t event_flags = 0);
    /// Has Waiter::on_timer() of a suspended command called at that time (CLOCK_MONOTONIC ns; 0: never),
    /// instead of what was set before.
    void set_timer(EventGraph::Ref ref, uint64_t when);
    /// Would shot() find an event slot? For those who must not take what they could not report. False: as
    /// with shot().
    bool can_shoot(EventGraph::Ref ref);
    /// A channel with starved shots has event slots again: tells some of them.
    void feed(Channel& channel);

    // Ops of the graph itself; rows of the op table.
    static int64_t op_timer(Client& client, Task& task, const Operands& operands);
    static int64_t op_event_set(Client& client, Task& task, const Operands& operands);
    static int64_t op_event_wait(Client& client, Task& task, const Operands& operands);
    static int64_t op_cancel(Client& client, Task& task, const Operands& operands);
    static int64_t op_event_share(Client& client, Task& task, const Operands& operands);

  private:
    void accept(Task& task);
    int park(Task& task);
    void start(Task& task);
    void complete_event(const Task& task, int64_t result, uint8_t event_flags);
    void count_bytes(const fc_command& command, int64_t result);
    void record_latency(const Task& task);
    int resolve(const fc_command& command, Operands& out);
    int read_variable(uint64_t index, uint64_t* value);
    int check_result_variable(const fc_command& command);
    void store_result(const fc_command& command, int64_t result);
    bool solvent();
    int take_deadline(Task& task);
    void arm_deadline(uint32_t index);
    void drop_deadline(EventGraph::Node& node);
    void drop_timers(uint32_t index);
    void take_detached(Channel& channel);
    void leave_channel(const Channel& channel);
    void release_unused();
    void queue_released();
    int64_t cancel_one(const Task& task, uint64_t id);
    /// Cancels all commands that are `wanted`, do not run in a pool and are not node `except`: how many.
    uint32_t cancel_where(const std::function<bool(const fc_command&)>& wanted, uint32_t except);

    const ClientId id_;
    std::shared_ptr<DomainState> domain_;
    Worker& worker_;
    const bool streams_;
    const uint32_t refused_flags_;          ///< FC_F_* of features that it did not accept
    const uint32_t refused_channel_flags_;  ///< FC_CHANNEL_*, the same
    const std::shared_ptr<ClientStats> stats_;
    RegionTable regions_;
    HandleTable handles_;
    EventGraph graph_;
    ServiceState services_;
    RateLimit rate_;
    uint64_t moved_ = 0;  ///< bytes in this burst
    std::shared_ptr<Budget> region_budget_;
    UniqueFd cancel_fd_;
    UniqueFd detached_fd_;  ///< made when a detached command needs it
    std::map<ChannelId, std::unique_ptr<Channel>> channels_;
    std::vector<EventGraph::Ref> released_;  ///< by the command that has just completed
    ReadyQueue<EventGraph::Ref> ready_;
    uint32_t running_ = 0;                                           ///< jobs out in a pool
    std::unordered_map<uint32_t, std::unique_ptr<Waiter>> waiters_;  ///< by node
    uint64_t debt_ = 0;        ///< work beyond its commands that it caused and has not paid for
    uint64_t debt_round_ = 0;  ///< the worker's round in which it paid last
    bool dying_ = false;
    std::optional<TimerQueue::Handle> detached_timer_;  ///< until its time has come
    uint64_t detached_until_ = 0;  ///< ns: when detached commands have to end; 0: none are left
    ControlDone destroyed_;
};

/// Cancels the detached commands of a client that is being destroyed, wherever it is served. Any thread.
void end_detached_of(const std::shared_ptr<DomainState>& domain, ClientId client);

}  // namespace farcall
