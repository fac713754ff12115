// SPDX-License-Identifier: MIT
#include "host-lib/event_graph.h"

#include <cerrno>

namespace farcall {
namespace {

// What the state word of an ID says; from kNodeBase up: the node of the command in flight or expected.
constexpr size_t kMaxFailedBlocks = 4096;  ///< of 512 bytes each

enum : uint32_t { kUnused = 0, kDone = 1, kFailed = 2, kClaimed = 3, kNodeBase = 16 };

uint64_t number_of(uint64_t id) {
    return id & FC_ID_NUMBER_MASK;
}

}  // namespace

uint64_t EventGraph::allocate(uint64_t count, int* err) {
    const uint64_t blocks = (count + FC_ID_BLOCK - 1) / FC_ID_BLOCK;
    *err = count == 0 || count > FC_MAX_ID_REQUEST ? -EINVAL : 0;
    if (*err) return 0;
    if (blocks_.size() + blocks > limits_.id_blocks || issued_ + blocks * FC_ID_BLOCK > FC_ID_NUMBER_MASK) {
        *err = -ENOSPC;
        return 0;
    }
    const uint64_t first = issued_;
    for (uint64_t i = 0; i < blocks; i++)
        blocks_[first / FC_ID_BLOCK + i] = std::make_unique<Block>();
    issued_ += blocks * FC_ID_BLOCK;
    return static_cast<uint64_t>(serial_) << FC_ID_BITS | first;
}

int EventGraph::check(uint64_t id) const {
    if (id >> FC_ID_BITS != serial_) return -EPERM;
    return number_of(id) >= FC_ID_BLOCK && number_of(id) < issued_ ? 0 : -EINVAL;
}

// A block whose every ID is settled is retired: nullptr says so, and retired_failed() knows the rest.
uint32_t* EventGraph::state_of(uint64_t id) {
    const uint64_t index = number_of(id) / FC_ID_BLOCK;
    if (index != cached_index_) {
        auto found = blocks_.find(index);
        if (found == blocks_.end()) return nullptr;
        cached_index_ = index;
        cached_ = found->second.get();
    }
    return &cached_->state[number_of(id) % FC_ID_BLOCK];
}

int EventGraph::claim(uint64_t id, uint32_t* node) {
    if (int err = check(id)) return err;
    uint32_t* state = state_of(id);
    if (state == nullptr) return -EEXIST;
    if (*state == kUnused) {
        *state = kClaimed;
        return 0;
    }
    if (*state < kNodeBase || nodes_[*state - kNodeBase].state != State::kExpected) return -EEXIST;
    *node = *state - kNodeBase;
    nodes_[*node].state = State::kParked;  // no longer merely expected: a second claim is refused
    return 0;
}

uint32_t EventGraph::new_node() {
    if (free_nodes_.empty()) {
        if (nodes_.size() >= limits_.nodes) return kNoNode;
        free_nodes_.push_back(static_cast<uint32_t>(nodes_.size()));
        nodes_.emplace_back();
    }
    const uint32_t index = free_nodes_.back();
    free_nodes_.pop_back();
    return index;
}

void EventGraph::free_node(uint32_t index) {
    Node& node = nodes_[index];
    node.state = State::kFree;
    node.generation++;
    node.failed = false;
    node.waiting = 0;
    node.dependents = kNoNode;
    free_nodes_.push_back(index);
}

bool EventGraph::ensure_node(Task& task) {
    if (task.node != kNoNode) return true;
    const uint32_t index = new_node();
    if (index == kNoNode) return false;
    task.node = index;
    nodes_[index].state = State::kParked;
    if (task.cmd.flags & FC_F_ID) *state_of(task.cmd.id) = kNodeBase + index;
    return true;
}

// Adds one edge from the node of `id` to the task. Returns 1: waits; 0: done already; else -errno.
int EventGraph::wait_for(Task& task, uint64_t id, bool any) {
    if (int err = check(id)) return err;
    if ((task.cmd.flags & FC_F_ID) && id == task.cmd.id) return -EDEADLK;
    uint32_t* state = state_of(id);
    Node& waiter = nodes_[task.node];
    const bool failed = state == nullptr ? retired_failed(id) : *state == kFailed;
    if (!failed && (state == nullptr || *state == kDone)) return 0;
    if (failed) {
        waiter.failed = true;
        // For any-of, a failed event is one that will never satisfy it.
        return any && !(task.cmd.flags & FC_F_ALWAYS) ? 1 : 0;
    }
    if (*state == kClaimed) return -EDEADLK;  // only the command being posted can be in this state
    if (live_edges_ >= limits_.edges) return -ENOSPC;
    if (*state == kUnused) {
        const uint32_t expected = new_node();
        if (expected == kNoNode) return -ENOSPC;
        nodes_[expected].state = State::kExpected;
        nodes_[expected].task = Task{};
        *state = kNodeBase + expected;
    }
    Node& awaited = nodes_[*state - kNodeBase];
    uint32_t edge = free_edge_;
    if (edge == kNoNode) {
        edge = static_cast<uint32_t>(edges_.size());
        edges_.push_back({});
    } else {
        free_edge_ = edges_[edge].next;
    }
    edges_[edge] = {ref(task.node), awaited.dependents};
    awaited.dependents = edge;
    live_edges_++;
    nodes_[task.node].waiting++;
    return 1;
}

int EventGraph::add_waits(Task& task, std::span<const uint64_t> ids) {
    if (!ensure_node(task)) return -ENOSPC;
    const bool any = task.cmd.flags & FC_F_WAIT_ANY;
    // Only a command that others wait for already can close a cycle.
    if (nodes_[task.node].dependents != kNoNode && reaches(task.node, ids)) return -EDEADLK;
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
    } else if (!any && node.failed && !(task.cmd.flags & FC_F_ALWAYS)) {
        node.waiting = 0;  // fail fast, as in release()
    }
    return 0;
}

// Does anything that waits, directly or not, for node `from` carry one of `ids`?
bool EventGraph::reaches(uint32_t from, std::span<const uint64_t> ids) {
    search_++;
    stack_.assign(1, from);
    nodes_[from].mark = search_;
    while (!stack_.empty()) {
        const uint32_t index = stack_.back();
        stack_.pop_back();
        for (uint32_t e = nodes_[index].dependents; e != kNoNode; e = edges_[e].next) {
            cost_++;
            Node* waiter = resolve(edges_[e].waiter);
            if (waiter == nullptr || waiter->mark == search_) continue;
            waiter->mark = search_;
            stack_.push_back(edges_[e].waiter.node);
        }
    }
    for (const uint64_t id : ids) {
        const Node* awaited = check(id) == 0 ? find(id) : nullptr;
        if (awaited != nullptr && awaited->mark == search_) return true;
    }
    return false;
}

void EventGraph::settle(uint64_t id, bool failed) {
    uint32_t* state = state_of(id);
    *state = failed ? kFailed : kDone;
    cached_->failed |= failed;
    if (++cached_->settled == FC_ID_BLOCK) retire(cached_index_);
}

// Every ID of the block is done or failed: all that a late wait can still ask is which of them failed.
void EventGraph::retire(uint64_t index) {
    const std::unique_ptr<Block> block = std::move(blocks_[index]);
    blocks_.erase(index);
    cached_index_ = ~0ull;
    cached_ = nullptr;
    if (!block->failed) return;
    FailedIds& failed = failed_[index];
    for (uint32_t i = 0; i < FC_ID_BLOCK; i++)
        failed[i] = block->state[i] == kFailed;
    if (failed_.size() <= kMaxFailedBlocks) return;
    forgotten_ = failed_.begin()->first + 1;
    failed_.erase(failed_.begin());
}

bool EventGraph::retired_failed(uint64_t id) const {
    const uint64_t index = number_of(id) / FC_ID_BLOCK;
    const auto found = failed_.find(index);
    return found != failed_.end() ? found->second[number_of(id) % FC_ID_BLOCK] : index < forgotten_;
}

void EventGraph::release(uint32_t edge, bool failed, std::vector<Ref>& ready) {
    while (edge != kNoNode) {
        const Edge current = edges_[edge];
        edges_[edge].next = free_edge_;
        free_edge_ = edge;
        live_edges_--;
        edge = current.next;
        Node* waiter = resolve(current.waiter);
        if (waiter == nullptr || waiter->state != State::kParked || waiter->waiting == 0) continue;
        const bool any = waiter->task.cmd.flags & FC_F_WAIT_ANY;
        const bool always = waiter->task.cmd.flags & FC_F_ALWAYS;
        waiter->waiting--;
        if (any && (!failed || always)) {
            waiter->waiting = 0;
            waiter->failed = false;
        } else if (failed) {
            waiter->failed = true;
            if (!any && !always) waiter->waiting = 0;  // fail fast: the rest can't change the outcome
        }
        if (waiter->waiting > 0) continue;
        waiter->state = State::kReady;
        ready.push_back(current.waiter);
    }
}

void EventGraph::complete(const Task& task, bool failed, std::vector<Ref>& ready) {
    uint32_t dependents = kNoNode;
    if (task.node != kNoNode) {
        dependents = nodes_[task.node].dependents;
        free_node(task.node);
    }
    if (task.cmd.flags & FC_F_ID) settle(task.cmd.id, failed);
    release(dependents, failed, ready);
}

EventGraph::Node* EventGraph::find(uint64_t id) {
    uint32_t* state = check(id) == 0 ? state_of(id) : nullptr;
    return state != nullptr && *state >= kNodeBase ? &nodes_[*state - kNodeBase] : nullptr;
}

}  // namespace farcall
