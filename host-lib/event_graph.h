// SPDX-License-Identifier: MIT
#pragma once

#include <bitset>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include <farcall/control.h>

#include "host-lib/chain_deadlines.h"
#include "host-lib/event_shares.h"
#include "host-lib/graph_budget.h"
#include "host-lib/job_state.h"
#include "host-lib/task.h"

namespace farcall {

class GraphDirectory;

/// Event IDs of one client, what became of each, and who waits for whom. Used by the client's worker only.
///
/// An ID is unused, claimed by a command in flight, done, or failed. A command that can't run at once (it
/// waits, it is with the blocking pool, it is a timer or user event) has a node; so has an unused ID that
/// others wait for already. Edges lead from the node that is awaited to those that wait, which may be in the
/// graph of another client of the same worker.
class EventGraph {
  public:
    using State = JobState;

    struct Node {
        Task task;  ///< kExpected: only its ID
        JobStateCell state;
        bool failed = false;            ///< one of its waits failed, or it was cancelled while ready
        bool deadline_armed = false;    ///< `deadline` is in the worker's queue
        uint64_t generation = 0;        ///< of this use of the node, unique in the graph; 0: free
        uint64_t mark = 0;              ///< last search that came by
        uint64_t due = 0;               ///< CLOCK_MONOTONIC ns: its own timer in the worker's queue; 0: none
        uint64_t deadline = 0;          ///< ns: when it times out; 0: never
        uint32_t due_timer = 0;         ///< handle in the worker's queue; valid while `due` is not 0
        uint32_t deadline_timer = 0;    ///< the same; valid while `deadline_armed`
        uint64_t chain = 0;             ///< ns: the deadline that those who wait for it inherit; 0: none
        uint32_t waiting = 0;           ///< waits that are not met yet
        uint32_t dependents = kNoNode;  ///< first edge to a command that waits for this one
        uint32_t edges = 0;             ///< in that list, with those whose waiter no longer waits
        uint32_t sweep_at = kFirstSweep;

        bool waits() const { return state == State::kParked && waiting > 0; }
    };

    /// A reference that outlives its node without harm.
    struct Ref {
        uint32_t node = kNoNode;
        uint64_t generation = 0;
        auto operator<=>(const Ref&) const = default;  // NOLINT(modernize-use-nullptr)
    };

    struct Limits {
        uint32_t id_blocks;
        uint32_t nodes;
        uint32_t edges;
    };
    struct Config {
        uint32_t client;        ///< ClientId
        uint32_t serial;        ///< high bits of its IDs
        uint64_t first_number;  ///< IDs of this serial below it were another client's
        Limits limits;
        GraphBudget& budget;
        GraphDirectory& directory;
    };

    explicit EventGraph(const Config& config);
    ~EventGraph();
    EventGraph(const EventGraph&) = delete;
    EventGraph& operator=(const EventGraph&) = delete;

    /// Hands out `count` IDs, rounded up to whole blocks. Returns the first; 0 on -EINVAL, -ENOSPC (this
    /// client's limit), -EDQUOT (its domain's) in *err.
    uint64_t allocate(uint64_t count, int* err);

    uint32_t client() const { return config_.client; }
    uint32_t serial() const { return config_.serial; }
    uint64_t next_number() const { return issued_; }

    /// A command with this ID is being posted. 0, and *node when others wait for it already;
    /// -EPERM: not this client's; -EINVAL: never handed out; -EEXIST: used before.
    int claim(uint64_t id, uint32_t* node);

    /// Makes `task` wait for `ids`. Gives it a node where it has none. 0: see node(task.node).waiting and
    /// .failed; else -EPERM, -EXDEV, -EINVAL, -EDEADLK (itself, a cycle), -ENOSPC, -EDQUOT.
    int add_waits(Task& task, std::span<const uint64_t> ids);

    /// A node for a task that has none yet. -ENOSPC: too many; -EDQUOT: the domain's budget is used up.
    int ensure_node(Task& task);

    /// The command is over: settles its ID, frees its node, appends the commands of this client that it
    /// releases to `ready`; those of others are handed to the directory.
    void complete(const Task& task, bool failed, std::vector<Ref>& ready);

    /// Lets `client` (EventShares::kAll: every one) wait for `count` IDs from `id` on. -EPERM: not this
    /// client's; -EINVAL: not handed out; -ENOSPC.
    int share(uint32_t client, uint64_t id, uint64_t count);

    /// No command will be posted any more: IDs that are awaited and unused fail.
    void abandon(std::vector<Ref>& ready);

    /// Hands the node's chain deadline down to all that wait for it already, directly or not. -ENOSPC: more
    /// than can be visited.
    int spread(uint32_t index);
    /// True when no more chain deadlines can be kept.
    bool chains_full(uint64_t now);

    Node& node(uint32_t index) { return nodes_[index]; }
    Ref ref(uint32_t index) const { return {index, nodes_[index].generation}; }
    /// nullptr when the node was freed since.
    Node* resolve(Ref ref) {
        if (ref.node >= nodes_.size() || nodes_[ref.node].generation != ref.generation) return nullptr;
        return &nodes_[ref.node];
    }
    /// The node of a command in flight; nullptr when the ID has none.
    Node* find(uint64_t id);

    size_t node_count() const { return nodes_.size(); }
    size_t live_nodes() const { return nodes_.size() - free_nodes_.size(); }
    size_t live_edges() const { return live_edges_; }

    /// Work that the client caused beyond its commands, in nodes visited, since the last call.
    uint32_t take_cost() { return std::exchange(cost_, 0); }
    void add_cost(size_t visits) { cost_ += static_cast<uint32_t>(visits); }

  private:
    static constexpr uint32_t kFirstSweep = 16;

    // What the state word of an ID says; from kNodeBase up: the node of the command in flight or expected.
    enum : uint32_t { kUnused = 0, kDone = 1, kFailed = 2, kClaimed = 3, kNodeBase = 16 };

    struct Block {
        uint32_t settled = 0;  ///< IDs that are done or failed
        bool failed = false;   ///< at least one failed
        uint32_t state[FC_ID_BLOCK] = {};
    };
    struct Edge {
        Ref waiter;
        uint32_t client;  ///< whose graph the waiter is in
        uint32_t next;
    };
    struct Place {
        EventGraph* graph;
        uint32_t node;
    };

    using FailedIds = std::bitset<FC_ID_BLOCK>;

    int check(uint64_t id) const;
    bool retired_failed(uint64_t id) const;
    void retire(uint64_t index);
    uint32_t* state_of(uint64_t id);
    int new_node(uint32_t* index);
    void free_node(uint32_t index);
    int new_edge(uint32_t* index);
    void free_edge(uint32_t index);
    void give_memory_back();
    void settle(uint64_t id, bool failed);

    // graph_waits.cc
    EventGraph* graph_of(uint32_t client);
    int find_owner(uint64_t id, EventGraph** owner);
    int wait_for(Task& task, uint64_t id, bool any);
    int expect(uint64_t id, uint32_t* state, const EventGraph& waiter);
    int add_edge(Node& awaited, EventGraph& waiter, uint32_t waiter_node);
    void sweep(Node& awaited);
    void sweep_all();
    void inherit(Node& waiter, uint64_t chain);
    uint64_t late_chain(uint64_t id);
    int reaches(uint32_t from, std::span<const uint64_t> ids);
    template <class Enter>
    int visit(uint32_t from, Enter enter);
    Node* awaited(uint64_t id);
    void release(uint32_t last_edge, bool failed, std::vector<Ref>& ready);
    uint32_t turn_around(uint32_t edge);
    bool settle_wait(Node& waiter, bool failed);

    const Config config_;
    uint64_t issued_;  ///< numbers below this and from first_number up were handed out
    bool abandoned_ = false;
    std::unordered_map<uint64_t, std::unique_ptr<Block>> blocks_;
    std::map<uint64_t, FailedIds> failed_;  ///< what is left of settled blocks in which something failed
    uint64_t forgotten_ = 0;  ///< settled blocks below this index lost their outcome: they count as failed
    uint64_t cached_index_ = ~0ull;
    Block* cached_ = nullptr;
    std::deque<Node> nodes_;
    std::vector<uint32_t> free_nodes_;
    uint64_t uses_ = 0;  ///< of nodes; the last generation
    std::vector<Edge> edges_;
    uint32_t free_edge_ = kNoNode;
    uint32_t own_edges_ = 0;   ///< in edges_ and in use
    uint32_t live_edges_ = 0;  ///< that this client's commands caused, in whoever's edges_
    uint32_t cost_ = 0;
    EventShares shares_;
    ChainDeadlines chains_;
    std::vector<Place> stack_;
};

/// The other graphs of a worker, for waits between clients; what happens to their commands. Implemented by
/// the worker, on whose thread all of it happens.
class GraphDirectory {
  public:
    virtual ~GraphDirectory() = default;
    /// nullptr: the client is gone.
    virtual EventGraph* graph_of(uint32_t client) = 0;
    /// The graph of the client that has this serial in the domain of `asker`. nullptr with -EPERM (nobody
    /// has it) or -EXDEV (a client of another worker) in *err.
    virtual EventGraph* graph_of_serial(uint32_t asker, uint32_t serial, int* err) = 0;
    /// A command of `client` is ready.
    virtual void released(uint32_t client, EventGraph::Ref ref) = 0;
    /// A waiting command of `client` has to be over by `when`.
    virtual void lower_deadline(uint32_t client, EventGraph::Ref ref, uint64_t when) = 0;
    uint64_t next_search() { return ++searches_; }

  private:
    uint64_t searches_ = 0;
};

}  // namespace farcall
