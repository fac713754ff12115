// SPDX-License-Identifier: MIT
// Event IDs, and the memory of nodes and edges; who waits for whom is in graph_waits.cc.
#include "host-lib/event_graph.h"

#include <algorithm>
#include <cerrno>

#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr size_t kMaxFailedBlocks = 4096;  ///< of 512 bytes each, per client
constexpr size_t kChunk = 64;              ///< nodes or edges that are taken from the budget at a time
constexpr size_t kKeep = 4096;             ///< nodes and edges that an idle graph keeps

uint64_t number_of(uint64_t id) {
    return id & FC_ID_NUMBER_MASK;
}

}  // namespace

EventGraph::EventGraph(const Config& config) : config_(config), issued_(config.first_number) {}

EventGraph::~EventGraph() {
    GraphBudget& budget = config_.budget;
    budget.give(blocks_.size() * sizeof(Block) + failed_.size() * sizeof(FailedIds));
    budget.give(nodes_.size() * sizeof(Node) + edges_.size() * sizeof(Edge));
    budget.give(chains_.size() * ChainDeadlines::kEntryBytes);
}

uint64_t EventGraph::allocate(uint64_t count, int* err) {
    const uint64_t blocks = (count + FC_ID_BLOCK - 1) / FC_ID_BLOCK;
    *err = count == 0 || count > FC_MAX_ID_REQUEST ? -EINVAL : 0;
    if (*err) return 0;
    const bool spent = issued_ + blocks * FC_ID_BLOCK > FC_ID_NUMBER_MASK;
    if (blocks_.size() + blocks > config_.limits.id_blocks || spent)
        *err = -ENOSPC;
    else if (!config_.budget.take(blocks * sizeof(Block)))
        *err = -EDQUOT;
    if (*err) return 0;
    const uint64_t first = issued_;
    for (uint64_t i = 0; i < blocks; i++)
        blocks_[first / FC_ID_BLOCK + i] = std::make_unique<Block>();
    issued_ += blocks * FC_ID_BLOCK;
    return static_cast<uint64_t>(config_.serial) << FC_ID_BITS | first;
}

int EventGraph::check(uint64_t id) const {
    if (id >> FC_ID_BITS != config_.serial) return -EPERM;
    return number_of(id) >= config_.first_number && number_of(id) < issued_ ? 0 : -EINVAL;
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
    nodes_[*node].state.enter(State::kParked);  // no longer merely expected: a second claim is refused
    return 0;
}

int EventGraph::new_node(uint32_t* index) {
    if (free_nodes_.empty()) {
        if (nodes_.size() >= config_.limits.nodes) return -ENOSPC;
        const size_t count = std::min<size_t>(kChunk, config_.limits.nodes - nodes_.size());
        if (!config_.budget.take(count * sizeof(Node))) return -EDQUOT;
        for (size_t i = 0; i < count; i++)
            nodes_.emplace_back();
        for (size_t i = 1; i <= count; i++)
            free_nodes_.push_back(static_cast<uint32_t>(nodes_.size() - i));
    }
    *index = free_nodes_.back();
    free_nodes_.pop_back();
    nodes_[*index].generation = ++uses_;
    return 0;
}

void EventGraph::free_node(uint32_t index) {
    nodes_[index].state.enter(State::kFree);
    nodes_[index] = Node{};
    free_nodes_.push_back(index);
}

int EventGraph::new_edge(uint32_t* index) {
    if (free_edge_ == kNoNode) {
        if (!config_.budget.take(kChunk * sizeof(Edge))) return -EDQUOT;
        for (size_t i = 0; i < kChunk; i++) {
            edges_.push_back({{}, 0, free_edge_});
            free_edge_ = static_cast<uint32_t>(edges_.size() - 1);
        }
    }
    *index = free_edge_;
    free_edge_ = edges_[free_edge_].next;
    own_edges_++;
    return 0;
}

void EventGraph::free_edge(uint32_t index) {
    edges_[index].next = free_edge_;
    free_edge_ = index;
    own_edges_--;
}

// One burst must not make a client keep, for its life, what others of its domain then lack.
void EventGraph::give_memory_back() {
    if (nodes_.size() > kKeep && live_nodes() == 0) {
        config_.budget.give(nodes_.size() * sizeof(Node));
        nodes_.clear();
        nodes_.shrink_to_fit();
        free_nodes_ = {};
    }
    if (edges_.size() > kKeep && own_edges_ == 0) {
        config_.budget.give(edges_.size() * sizeof(Edge));
        edges_ = {};
        free_edge_ = kNoNode;
    }
}

int EventGraph::ensure_node(Task& task) {
    if (task.node != kNoNode) return 0;
    uint32_t index = kNoNode;
    if (int err = new_node(&index)) return err;
    task.node = index;
    nodes_[index].state.enter(State::kParked);
    if (task.cmd.flags & FC_F_ID) *state_of(task.cmd.id) = kNodeBase + index;
    return 0;
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
    config_.budget.give(sizeof(Block));
    if (!block->failed) return;
    config_.budget.force(sizeof(FailedIds));
    FailedIds& failed = failed_[index];
    for (uint32_t i = 0; i < FC_ID_BLOCK; i++)
        failed[i] = block->state[i] == kFailed;
    if (failed_.size() <= kMaxFailedBlocks) return;
    forgotten_ = failed_.begin()->first + 1;
    failed_.erase(failed_.begin());
    config_.budget.give(sizeof(FailedIds));
}

bool EventGraph::retired_failed(uint64_t id) const {
    const uint64_t index = number_of(id) / FC_ID_BLOCK;
    const auto found = failed_.find(index);
    return found != failed_.end() ? found->second[number_of(id) % FC_ID_BLOCK] : index < forgotten_;
}

void EventGraph::complete(const Task& task, bool failed, std::vector<Ref>& ready) {
    uint32_t dependents = kNoNode;
    if (task.node != kNoNode) {
        const uint64_t chain = nodes_[task.node].chain;
        dependents = nodes_[task.node].dependents;
        free_node(task.node);
        if (chain != 0 && (task.cmd.flags & FC_F_ID) && chain > monotonic_ns()) {
            config_.budget.force(ChainDeadlines::kEntryBytes);
            chains_.put(number_of(task.cmd.id), chain);
        }
    }
    if (task.cmd.flags & FC_F_ID) settle(task.cmd.id, failed);
    release(dependents, failed, ready);
    if (nodes_.size() > kKeep || edges_.size() > kKeep) give_memory_back();
}

void EventGraph::abandon(std::vector<Ref>& ready) {
    abandoned_ = true;
    for (uint32_t i = 0; i < nodes_.size(); i++) {
        if (nodes_[i].state != State::kExpected) continue;
        Task never = nodes_[i].task;
        never.node = i;
        complete(never, true, ready);
    }
}

int EventGraph::share(uint32_t client, uint64_t id, uint64_t count) {
    if (id >> FC_ID_BITS != config_.serial) return -EPERM;
    const uint64_t first = number_of(id);
    if (count == 0 || first < config_.first_number || first >= issued_ || count > issued_ - first)
        return -EINVAL;
    if (shares_.full())
        shares_.prune([this](uint32_t other) { return config_.directory.graph_of(other) == nullptr; });
    return shares_.add(client, first, first + count) ? 0 : -ENOSPC;
}

bool EventGraph::chains_full(uint64_t now) {
    config_.budget.give(chains_.forget_before(now) * ChainDeadlines::kEntryBytes);
    return chains_.size() >= ChainDeadlines::kMax;
}

EventGraph::Node* EventGraph::find(uint64_t id) {
    uint32_t* state = check(id) == 0 ? state_of(id) : nullptr;
    return state != nullptr && *state >= kNodeBase ? &nodes_[*state - kNodeBase] : nullptr;
}

}  // namespace farcall
