// SPDX-License-Identifier: MIT
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include <farcall/control.h>

#include "host-lib/task.h"

namespace farcall {

/// Event IDs of one client, what became of each, and who waits for whom. Used by the client's worker only.
///
/// An ID is unused, claimed by a command in flight, done, or failed. A command that can't run at once (it
/// waits, it is with the blocking pool, it is a timer or user event) has a node; so has an unused ID that
/// others wait for already.
class EventGraph {
  public:
    enum class State : uint8_t {
        kFree,
        kExpected,
        kParked,
        kReady,
        kRunning,
        kTimer,
        kUserEvent,
        kSuspended
    };

    struct Node {
        Task task;
        State state = State::kFree;
        bool failed = false;            ///< one of its waits failed, or it was cancelled while ready
        uint32_t generation = 0;        ///< counts uses of the node: tells old references from new
        uint32_t waiting = 0;           ///< waits that are not met yet
        uint32_t dependents = kNoNode;  ///< first edge to a command that waits for this one
        uint32_t mark = 0;              ///< last cycle search that came by
    };

    /// A reference that outlives its node without harm.
    struct Ref {
        uint32_t node;
        uint32_t generation;
    };

    struct Limits {
        uint32_t id_blocks;
        uint32_t nodes;
        uint32_t edges;
    };

    EventGraph(uint32_t serial, Limits limits) : serial_(serial), limits_(limits) {}

    /// Hands out `count` IDs, rounded up to whole blocks. Returns the first, 0 on -EINVAL / -ENOSPC in *err.
    uint64_t allocate(uint64_t count, int* err);

    uint32_t serial() const { return serial_; }

    /// A command with this ID is being posted. 0, and *node when others wait for it already;
    /// -EPERM: not this client's; -EINVAL: never handed out; -EEXIST: used before.
    int claim(uint64_t id, uint32_t* node);

    /// Makes `task` wait for `ids`. Gives it a node where it has none. 0: see node(task.node).waiting and
    /// .failed; else -EPERM, -EINVAL, -EDEADLK (itself, a cycle), -ENOSPC.
    int add_waits(Task& task, std::span<const uint64_t> ids);

    /// A node for a task that has none yet. False: too many.
    bool ensure_node(Task& task);

    /// The command is over: settles its ID, frees its node, appends the commands that it releases to `ready`.
    void complete(const Task& task, bool failed, std::vector<Ref>& ready);

    Node& node(uint32_t index) { return nodes_[index]; }
    Ref ref(uint32_t index) const { return {index, nodes_[index].generation}; }
    /// nullptr when the node was freed since.
    Node* resolve(Ref ref) {
        return nodes_[ref.node].generation == ref.generation ? &nodes_[ref.node] : nullptr;
    }
    /// The node of a command in flight; nullptr when the ID has none.
    Node* find(uint64_t id);

    size_t node_count() const { return nodes_.size(); }

    /// Nodes visited by searches since the last call: work that a client causes beyond its commands.
    uint32_t take_cost() { return std::exchange(cost_, 0); }

  private:
    struct Block {
        uint32_t settled = 0;  ///< IDs that are done or failed
        bool failed = false;   ///< at least one failed
        uint32_t state[FC_ID_BLOCK] = {};
    };
    struct Edge {
        Ref waiter;
        uint32_t next;
    };

    using FailedIds = std::bitset<FC_ID_BLOCK>;

    int check(uint64_t id) const;
    bool retired_failed(uint64_t id) const;
    void retire(uint64_t index);
    uint32_t* state_of(uint64_t id);
    uint32_t new_node();
    void free_node(uint32_t index);
    int wait_for(Task& task, uint64_t id, bool any);
    bool reaches(uint32_t from, std::span<const uint64_t> ids);
    void settle(uint64_t id, bool failed);
    void release(uint32_t edge, bool failed, std::vector<Ref>& ready);

    const uint32_t serial_;
    const Limits limits_;
    uint64_t issued_ = FC_ID_BLOCK;  ///< numbers below this and from FC_ID_BLOCK up were handed out
    std::unordered_map<uint64_t, std::unique_ptr<Block>> blocks_;
    std::map<uint64_t, FailedIds> failed_;  ///< what is left of settled blocks in which something failed
    uint64_t forgotten_ = 0;  ///< settled blocks below this index lost their outcome: they count as failed
    uint64_t cached_index_ = ~0ull;
    Block* cached_ = nullptr;
    std::deque<Node> nodes_;
    std::vector<uint32_t> free_nodes_;
    std::vector<Edge> edges_;
    uint32_t free_edge_ = kNoNode;
    uint32_t live_edges_ = 0;
    uint32_t search_ = 0;
    uint32_t cost_ = 0;
    std::vector<uint32_t> stack_;
};

}  // namespace farcall
