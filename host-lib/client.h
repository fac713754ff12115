// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "host-lib/channel.h"
#include "host-lib/domain_state.h"
#include "host-lib/event_graph.h"
#include "host-lib/handle_table.h"
#include "host-lib/ops.h"
#include "host-lib/region.h"
#include "host-lib/waiter.h"

namespace farcall {

class Worker;

/// One client: owner of channels, regions, handles and event IDs. All of it is used by its worker only.
class Client {
  public:
    Client(ClientId id, std::shared_ptr<DomainState> domain, uint32_t serial, bool streams,
           const ClientPeer& peer, Worker& worker);
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
    const ClientPeer& peer() const { return peer_; }
    /// Becomes readable when the client goes away; for streams, whose commands may wait for ever.
    int cancel_fd() const { return cancel_fd_.get(); }

    // Control path.
    ControlResult create_channel(ChannelConfig config);
    ControlResult destroy_channel(ChannelId channel);
    ControlResult add_region(RegionConfig config);
    void remove_region(uint32_t key, ControlDone done);
    ControlResult allocate_ids(uint64_t count);
    /// Closes the channels, drops what is parked, asks streams to stop. `done` is called once nothing is in
    /// use any more, at once or from a later completion; the worker forgets the client then.
    void destroy(ControlDone done);
    bool dying() const { return dying_; }
    bool gone() const { return dying_ && running_ == 0; }
    ControlDone take_destroyed() { return std::exchange(destroyed_, nullptr); }

    bool queued = false;  ///< in the worker's list of clients with released commands

    // Data path.
    /// Takes up to `burst` commands off the channel. Returns how many.
    uint32_t serve(Channel& channel, uint32_t burst);
    /// Runs a command that was taken off its channel and uses nothing of the event graph.
    void run_simple(Task& task);
    /// Runs commands whose waits are met, at most `budget`. Returns how many are left.
    size_t run_ready(size_t budget);
    /// Completes a command: result variable, event, ID, dependents.
    void finish(Task& task, int64_t result);
    bool has_timer(EventGraph::Ref ref);
    /// The timer of a node is due.
    void timer_due(EventGraph::Ref ref);

    /// Gives a task that now runs elsewhere to the worker's io_uring, if there is one and the job can be said
    /// that way, else to `pool`. Returns kPending, or -ENOSPC.
    int64_t run_elsewhere(Task& task, std::unique_ptr<class FileJob> job, BlockingPool& pool);
    void job_back(uint32_t node, int64_t result);

    /// Lets a task wait for something outside of the graph until resume(), and owns what waits for it. It can
    /// be cancelled at any time, which destroys the waiter. Returns kPending, or -ENOSPC.
    int64_t suspend(Task& task, std::unique_ptr<Waiter> waiter);
    /// Completes a suspended command and destroys its waiter. Nothing happens if it is over already.
    void resume(EventGraph::Ref ref, int64_t result);
    /// What a suspended command waits for; nullptr if it is over already.
    Waiter* waiter(EventGraph::Ref ref);
    /// An event (FC_E_MORE) of a suspended FC_F_MULTISHOT command, which goes on. False: no event slot is
    /// free; nothing happened, and the waiter's on_credit() is called when there may be one.
    bool shot(EventGraph::Ref ref, int64_t result, uint8_t event_flags = 0);
    /// A channel with starved shots may have event slots again.
    void feed(Channel& channel);

    // Ops of the graph itself; rows of the op table.
    static int64_t op_timer(Client& client, Task& task, const Operands& operands);
    static int64_t op_event_set(Client& client, Task& task, const Operands& operands);
    static int64_t op_event_wait(Client& client, Task& task, const Operands& operands);
    static int64_t op_cancel(Client& client, Task& task, const Operands& operands);

  private:
    void accept(Task& task);
    int park(Task& task);
    void start(Task& task);
    void complete_event(const Task& task, int64_t result, uint8_t event_flags);
    int resolve(const fc_command& command, Operands& out);
    int read_variable(uint64_t index, uint64_t* value);
    int check_result_variable(const fc_command& command);
    void store_result(const fc_command& command, int64_t result);
    void cancel_channel_tasks(const Channel& channel);

    const ClientId id_;
    std::shared_ptr<DomainState> domain_;
    Worker& worker_;
    const bool streams_;
    const ClientPeer peer_;
    RegionTable regions_;
    HandleTable handles_;
    EventGraph graph_;
    ServiceState services_;
    UniqueFd cancel_fd_;
    std::map<ChannelId, std::unique_ptr<Channel>> channels_;
    std::vector<EventGraph::Ref> ready_;
    size_t ready_head_ = 0;
    uint32_t running_ = 0;                                           ///< jobs out in a pool
    std::unordered_map<uint32_t, std::unique_ptr<Waiter>> waiters_;  ///< by node
    std::vector<EventGraph::Ref> starved_;                           ///< shots without an event slot
    bool dying_ = false;
    ControlDone destroyed_;
};

}  // namespace farcall
