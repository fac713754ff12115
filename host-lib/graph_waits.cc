// SPDX-License-Identifier: MIT
// Who waits for whom: wait lists, cycles, release, chain deadlines.
#include <algorithm>
#include <cerrno>

#include "host-lib/event_graph.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

/// Edges that one search follows at the most; a client alone has no more.
constexpr uint32_t kMaxVisits = 1u << 17;

bool takes_failures(const fc_command& command) {
    return (command.flags & FC_F_ALWAYS) != 0;
}

}  // namespace

EventGraph* EventGraph::graph_of(uint32_t client) {
    return client == config_.client ? this : config_.directory.graph_of(client);
}

int EventGraph::find_owner(uint64_t id, EventGraph** owner) {
    *owner = this;
    const auto serial = static_cast<uint32_t>(id >> FC_ID_BITS);
    if (serial == config_.serial) return check(id);
    int err = 0;
    *owner = config_.directory.graph_of_serial(config_.client, serial, &err);
    if (*owner == nullptr) return err;
    return (*owner)->shares_.allows(config_.client, id & FC_ID_NUMBER_MASK) ? 0 : -EPERM;
}

// A node for an ID that is awaited before its command has been posted.
int EventGraph::expect(uint64_t id, uint32_t* state, const EventGraph& waiter) {
    // Others must leave the owner nodes for its own commands.
    if (&waiter != this && live_nodes() >= config_.limits.nodes / 2) return -ENOSPC;
    uint32_t index = kNoNode;
    if (int err = new_node(&index)) return err;
    Node& node = nodes_[index];
    node.state.enter(State::kExpected);
    node.task.cmd.id = id;
    node.task.cmd.flags = FC_F_ID;
    *state = kNodeBase + index;
    return 0;
}

int EventGraph::add_edge(Node& awaited, EventGraph& waiter, uint32_t waiter_node) {
    if (awaited.edges >= awaited.sweep_at) sweep(awaited);
    if (waiter.live_edges_ >= waiter.config_.limits.edges) waiter.sweep_all();
    if (waiter.live_edges_ >= waiter.config_.limits.edges) return -ENOSPC;
    uint32_t edge = kNoNode;
    if (int err = new_edge(&edge)) return err;
    edges_[edge] = {waiter.ref(waiter_node), waiter.config_.client, awaited.dependents};
    awaited.dependents = edge;
    awaited.edges++;
    waiter.live_edges_++;
    waiter.nodes_[waiter_node].waiting++;
    return 0;
}

// Edges whose waiter waits no more, as another event met its any-of list, would pile up on an event that
// stays pending. Called when there are twice as many as were left the last time.
void EventGraph::sweep(Node& awaited) {
    uint32_t* link = &awaited.dependents;
    awaited.edges = 0;
    while (*link != kNoNode) {
        const uint32_t edge = *link;
        EventGraph* graph = graph_of(edges_[edge].client);
        const Node* waiter = graph == nullptr ? nullptr : graph->resolve(edges_[edge].waiter);
        if (waiter != nullptr && waiter->waits()) {
            awaited.edges++;
            link = &edges_[edge].next;
            continue;
        }
        if (graph != nullptr) graph->live_edges_--;
        *link = edges_[edge].next;
        free_edge(edge);
    }
    awaited.sweep_at = std::max(kFirstSweep, 2 * awaited.edges);
}

void EventGraph::sweep_all() {
    add_cost(nodes_.size() + own_edges_);
    for (Node& node : nodes_)
        if (node.dependents != kNoNode) sweep(node);
}

// A command that runs whatever happens is the clean-up after a chain: it takes no deadline from it.
void EventGraph::inherit(Node& waiter, uint64_t chain) {
    if (chain == 0) return;
    if (waiter.chain == 0 || chain < waiter.chain) waiter.chain = chain;
    if (waiter.deadline == 0 || chain < waiter.deadline) waiter.deadline = chain;
}

uint64_t EventGraph::late_chain(uint64_t id) {
    if (chains_.empty()) return 0;
    config_.budget.give(chains_.forget_before(monotonic_ns()) * ChainDeadlines::kEntryBytes);
    return chains_.get(id & FC_ID_NUMBER_MASK);
}

// Adds one edge from the node of `id` to the task. Returns 1: waits; 0: done already; else -errno.
int EventGraph::wait_for(Task& task, uint64_t id, bool any) {
    EventGraph* owner = nullptr;
    if (int err = find_owner(id, &owner)) return err;
    if ((task.cmd.flags & FC_F_ID) && id == task.cmd.id) return -EDEADLK;
    uint32_t* state = owner->state_of(id);
    Node& waiter = nodes_[task.node];
    const bool always = takes_failures(task.cmd);
    const bool never = state != nullptr && *state == kUnused && owner->abandoned_;
    const bool failed = state == nullptr ? owner->retired_failed(id) : *state == kFailed || never;
    if (failed) {
        waiter.failed = true;
        // For any-of, a failed event is one that will never satisfy it.
        return any && !always ? 1 : 0;
    }
    if (state == nullptr || *state == kDone) {
        if (!always) inherit(waiter, owner->late_chain(id));
        return 0;
    }
    if (*state == kClaimed) return -EDEADLK;  // only the command being posted can be in this state
    if (*state == kUnused) {
        if (int err = owner->expect(id, state, *this)) return err;
    }
    Node& awaited = owner->nodes_[*state - kNodeBase];
    if (int err = owner->add_edge(awaited, *this, task.node)) return err;
    if (!always) inherit(nodes_[task.node], awaited.chain);
    return 1;
}

int EventGraph::add_waits(Task& task, std::span<const uint64_t> ids) {
    if (int err = ensure_node(task)) return err;
    const bool any = task.cmd.flags & FC_F_WAIT_ANY;
    // Only a command that others wait for already can close a cycle.
    if (nodes_[task.node].dependents != kNoNode) {
        if (int err = reaches(task.node, ids)) return err;
    }
    bool satisfied = false;
    for (const uint64_t id : ids) {
        const int r = wait_for(task, id, any);
        if (r < 0) return r;
        if (r == 0) satisfied = true;
    }
    Node& node = nodes_[task.node];
    if (any && satisfied) {
        node.waiting = 0;
        node.failed = false;
    } else if (!any && node.failed && !takes_failures(task.cmd)) {
        node.waiting = 0;  // fail fast, as in settle_wait()
    }
    return 0;
}

// Follows the edges from a node to all that wait for it, directly or not, into other graphs too. `enter` says
// of each waiting command whether to go on from there. -ENOSPC: too many.
template <class Enter>
int EventGraph::visit(uint32_t from, Enter enter) {
    uint32_t visits = 0;
    stack_.assign(1, {this, from});
    while (!stack_.empty() && visits <= kMaxVisits) {
        const Place place = stack_.back();
        stack_.pop_back();
        uint32_t edge = place.graph->nodes_[place.node].dependents;
        for (; edge != kNoNode && visits <= kMaxVisits; edge = place.graph->edges_[edge].next) {
            visits++;
            const Edge& to = place.graph->edges_[edge];
            EventGraph* graph = graph_of(to.client);
            Node* waiter = graph == nullptr ? nullptr : graph->resolve(to.waiter);
            if (waiter == nullptr || !waiter->waits() || !enter(*graph, *waiter, to.waiter)) continue;
            stack_.push_back({graph, to.waiter.node});
        }
    }
    add_cost(visits);
    return visits > kMaxVisits ? -ENOSPC : 0;
}

// The node of a command that this client may wait for, and that waits itself; else nullptr.
EventGraph::Node* EventGraph::awaited(uint64_t id) {
    EventGraph* owner = nullptr;
    if (find_owner(id, &owner) != 0) return nullptr;
    Node* node = owner->find(id);
    return node != nullptr && node->waits() ? node : nullptr;
}

// -EDEADLK: something that waits, directly or not, for node `from` carries one of `ids`. Nothing to do when
// none of them waits itself, as when a chain is posted from its end.
int EventGraph::reaches(uint32_t from, std::span<const uint64_t> ids) {
    if (std::none_of(ids.begin(), ids.end(), [this](uint64_t id) { return awaited(id) != nullptr; }))
        return 0;
    const uint64_t search = config_.directory.next_search();
    const int err = visit(from, [search](EventGraph&, Node& waiter, Ref) {
        return std::exchange(waiter.mark, search) != search;
    });
    if (err != 0) return err;
    for (const uint64_t id : ids) {
        const Node* node = awaited(id);
        if (node != nullptr && node->mark == search) return -EDEADLK;
    }
    return 0;
}

int EventGraph::spread(uint32_t index) {
    const uint64_t chain = nodes_[index].chain;
    if (chain == 0 || nodes_[index].dependents == kNoNode) return 0;
    return visit(index, [chain, this](EventGraph& graph, Node& waiter, Ref ref) {
        if (takes_failures(waiter.task.cmd) || (waiter.chain != 0 && waiter.chain <= chain)) return false;
        waiter.chain = chain;
        config_.directory.lower_deadline(graph.config_.client, ref, chain);
        return true;
    });
}

// One event of a wait list is over. True: so is the waiting.
bool EventGraph::settle_wait(Node& waiter, bool failed) {
    const bool any = waiter.task.cmd.flags & FC_F_WAIT_ANY;
    const bool always = takes_failures(waiter.task.cmd);
    waiter.waiting--;
    if (any && (!failed || always)) {
        waiter.waiting = 0;
        waiter.failed = false;
    } else if (failed) {
        waiter.failed = true;
        if (!any && !always) waiter.waiting = 0;  // fail fast: the rest can't change the outcome
    }
    return waiter.waiting == 0;
}

// The list has the last one first: turned around, so that those who came first are released first.
uint32_t EventGraph::turn_around(uint32_t edge) {
    uint32_t turned = kNoNode;
    while (edge != kNoNode) {
        const uint32_t next = std::exchange(edges_[edge].next, turned);
        turned = std::exchange(edge, next);
    }
    return turned;
}

void EventGraph::release(uint32_t last_edge, bool failed, std::vector<Ref>& ready) {
    uint32_t edge = turn_around(last_edge);
    while (edge != kNoNode) {
        const Edge current = edges_[edge];
        free_edge(edge);
        edge = current.next;
        EventGraph* graph = graph_of(current.client);
        if (graph == nullptr) continue;
        graph->live_edges_--;
        Node* waiter = graph->resolve(current.waiter);
        if (waiter == nullptr || !waiter->waits() || !settle_wait(*waiter, failed)) continue;
        waiter->state.enter(State::kReady);
        if (graph == this)
            ready.push_back(current.waiter);
        else
            config_.directory.released(current.client, current.waiter);
    }
}

}  // namespace farcall
