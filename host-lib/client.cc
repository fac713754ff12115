// SPDX-License-Identifier: MIT
#include "host-lib/client.h"

#include <sys/eventfd.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "host-lib/read_batch.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr uint64_t kCostPerRound = 4096;  ///< visits of nodes and edges
constexpr size_t kReadyAtOnce = 64;
/// Moved on the worker in one burst, give or take one transfer: bytes hold up others as much as commands do.
constexpr uint64_t kBytesPerBurst = 256 << 10;

uint32_t saturated_delta(uint64_t from, uint64_t to) {
    return static_cast<uint32_t>(std::min<uint64_t>(to - from, UINT32_MAX));
}

// A cancel by handle finds a command that has started by the handles that it got from variables.
void keep_handles(fc_command& command, const Operands& operands) {
    if ((command.flags & FC_F_VAR_HANDLE) && operands.handle <= UINT32_MAX) {
        command.handle = static_cast<uint32_t>(operands.handle);
        command.flags &= static_cast<uint16_t>(~FC_F_VAR_HANDLE);
    }
    if ((command.flags & FC_F_VAR_REGION) && operands.handle2 <= UINT32_MAX) {
        command.region = static_cast<uint32_t>(operands.handle2);
        command.flags &= static_cast<uint16_t>(~FC_F_VAR_REGION);
    }
}

// A read or write that moved less than it was asked to, where the client wants that to count as a failure.
bool is_short(const fc_command& command, int64_t result, uint32_t asked) {
    return (command.flags & FC_F_SHORT_STOP) && result >= 0 && static_cast<uint64_t>(result) < asked;
}

}  // namespace

// What a client makes the worker search beyond its commands, it pays for with rounds without service, on all
// of its channels.
bool Client::solvent() {
    const uint32_t cost = graph_.take_cost();
    if (debt_ == 0 && cost == 0) [[likely]]
        return true;
    if (debt_ == 0) debt_round_ = worker_.round();
    debt_ += cost;
    debt_ -= std::min(debt_, (worker_.round() - debt_round_) * kCostPerRound);
    debt_round_ = worker_.round();
    return debt_ < kCostPerRound;
}

uint32_t Client::serve(Channel& channel, uint32_t burst) {
    uint32_t count = 0;
    if (!solvent()) return 0;
    Task task;
    ReadBatch reads(*this, channel);
    moved_ = 0;
    while (count < burst && moved_ < kBytesPerBurst && channel.next(task.cmd)) {
        const bool timed = channel.timestamps() || worker_.stats().sample();
        // The common command names no event, waits for none and uses no variable: nothing of the graph
        // concerns it.
        const bool simple = (task.cmd.flags & ~FC_F_QUIET) == 0 && task.cmd.wait_count == 0 &&
                            task.cmd.deadline == 0 && !timed;
        if (simple && task.cmd.opcode == FC_OP_READ) {
            count++;
            reads.add(task.cmd);
            continue;
        }
        if (!reads.empty()) reads.finish();
        task.channel = &channel;
        task.node = kNoNode;
        task.picked_up = 0;
        if (simple) [[likely]] {
            count++;
            const int64_t result = run_simple(task);
            if (result != kPending) answer(channel, task.cmd, result);
            continue;
        }
        if (timed) task.picked_up = task.started = monotonic_ns();
        accept(task);
        count++;
        if (!solvent()) break;
    }
    if (!reads.empty()) reads.finish();
    worker_.stats().commands.add(count);
    stats_->commands.add(count);
    rate_.take(count);
    if (channel.starved() && channel.has_credit()) [[unlikely]]
        feed(channel);
    if (count > 0) worker_.mark_dirty(channel);  // commands that merely park free their ring slots too
    // Released commands run at once, so that a chain does not wait for the worker's next round.
    if (!ready_.empty()) run_ready(kReadyAtOnce);
    return count;
}

int64_t Client::run_simple(Task& task) {
    const fc_command& command = task.cmd;
    if (const int err = check_command(command)) return err;
    const Operands operands{command.handle, command.offset, command.buffer, command.length, command.region};
    return op_info(command.opcode).start(*this, task, operands);
}

void Client::answer(Channel& channel, const fc_command& command, int64_t result) {
    account(command, result);
    channel.push_event(command, {.result = static_cast<int32_t>(result)});
}

void Client::accept(Task& task) {
    fc_command& command = task.cmd;
    int err = check_command(command);
    if (command.flags & refused_flags_) [[unlikely]]
        err = err != 0 ? err : -EINVAL;
    if (command.flags & FC_F_ID) {
        if (int claim = graph_.claim(command.id, &task.node)) {
            // Not an ID that this command may settle: the event carries it as plain data.
            command.flags &= static_cast<uint16_t>(~FC_F_ID);
            return finish(task, claim);
        }
    }
    if (err == 0) err = check_result_variable(command);
    if (err == 0 && command.deadline != 0) err = take_deadline(task);
    if (err == 0 && command.wait_count != 0) err = park(task);
    if (err >= 0 && task.node != kNoNode) {
        if (int spread = graph_.spread(task.node)) err = spread;
    }
    if (err < 0) return finish(task, err);
    if (err == 0) return start(task);
    arm_deadline(task.node);
}

// Reads the wait list, once, and enters it into the graph. 1: the task waits; 0: it may start; else -errno.
int Client::park(Task& task) {
    const fc_command& command = task.cmd;
    uint64_t ids[FC_MAX_WAITS];
    if (command.wait_count == 1) {
        ids[0] = command.wait;
    } else {
        Region* arena = regions_.arena();
        const uint64_t bytes = command.wait_count * sizeof(uint64_t);
        if (arena == nullptr || command.wait % 8 != 0 || !arena->contains(command.wait, bytes))
            return -EFAULT;
        arena->copy_out(command.wait, ids, bytes);
    }
    if (int err = graph_.add_waits(task, {ids, command.wait_count})) return err;
    EventGraph::Node& node = graph_.node(task.node);
    if (node.waiting > 0) {
        node.task = task;
        return 1;
    }
    const bool failed = node.failed && !(command.flags & FC_F_ALWAYS);
    node.failed = false;
    return failed ? -ECANCELED : 0;
}

void Client::start(Task& task) {
    if (task.channel != nullptr && task.channel->timestamps()) [[unlikely]]
        task.started = monotonic_ns();
    Operands operands;
    int64_t result = resolve(task.cmd, operands);
    if (result == 0) {
        // A short transfer is judged by the length in force, which a variable may have given.
        task.cmd.length = operands.length;
        result = op_info(task.cmd.opcode).start(*this, task, operands);
    }
    if (result != kPending) return finish(task, result);
    if (task.node >= graph_.node_count()) return;  // over already
    keep_handles(graph_.node(task.node).task.cmd, operands);
    arm_deadline(task.node);
}

// Result variable and event; nothing of the graph.
void Client::complete_event(const Task& task, int64_t result, uint8_t event_flags) {
    const fc_command& command = task.cmd;
    if (command.flags & (FC_F_RESULT_STORE | FC_F_RESULT_ADD))
        store_result(command, moved_bytes(result, event_flags));
    Channel* channel = task.channel;
    if (channel == nullptr) return;
    Completion completion{.result = static_cast<int32_t>(result), .flags = event_flags};
    if (command.flags & FC_F_ID) completion.flags |= FC_E_ID;
    if (channel->timestamps()) [[unlikely]] {
        completion.picked_up = task.picked_up;
        completion.started_after = saturated_delta(task.picked_up, task.started);
        completion.completed_after = saturated_delta(task.picked_up, monotonic_ns());
    }
    channel->push_event(command, completion);
    worker_.mark_dirty(*channel);
}

void Client::account(const fc_command& command, int64_t result) {
    OpStats& op = worker_.stats().ops[WorkerStats::op_index(command.opcode)];
    op.completed.add();
    if (result < 0) op.errors.add();
    count_bytes(command, result);
}

void Client::count_bytes(const fc_command& command, int64_t result) {
    const uint64_t bytes = bytes_moved(command, result);
    if (bytes == 0) return;
    worker_.stats().ops[command.opcode].bytes.add(bytes);
    stats_->bytes.add(bytes);
    moved_ += bytes;
}

void Client::record_latency(const Task& task) {
    worker_.stats().latencies[WorkerStats::op_index(task.cmd.opcode)].record(monotonic_ns() - task.picked_up);
}

void Client::finish(Task& task, int64_t result, uint8_t event_flags) {
    const fc_command& command = task.cmd;
    const bool is_too_short = is_short(command, moved_bytes(result, event_flags), command.length);
    const bool failed = result < 0 || is_too_short;
    account(command, moved_bytes(result, event_flags));
    if (task.picked_up != 0) [[unlikely]]
        record_latency(task);
    if (is_too_short) event_flags |= FC_E_SHORT;
    complete_event(task, result, event_flags);
    if (task.node == kNoNode && !(command.flags & FC_F_ID)) return;
    if (task.node != kNoNode) {
        // Before the node is free for another command.
        drop_timers(task.node);
        if (graph_.node(task.node).state == EventGraph::State::kSuspended) waiters_.erase(task.node);
    }
    graph_.complete(task, failed, released_);
    queue_released();
    // Of a client that is gone, the last command lets the worker forget it.
    if (!ready_.empty() || dying_) worker_.mark_ready(*this);
}

void Client::queue_released() {
    for (const EventGraph::Ref ref : released_)
        ready_.push(ref, graph_.node(ref.node).task.cmd.priority);
    released_.clear();
}

void Client::released(EventGraph::Ref ref) {
    ready_.push(ref, graph_.node(ref.node).task.cmd.priority);
    worker_.mark_ready(*this);
}

size_t Client::run_ready(size_t budget) {
    while (!ready_.empty() && budget-- > 0 && solvent()) {
        const EventGraph::Ref ref = ready_.pop();
        EventGraph::Node* node = graph_.resolve(ref);
        if (node == nullptr || node->state != EventGraph::State::kReady) continue;
        Task task = node->task;
        const bool cancelled = node->failed && !(task.cmd.flags & FC_F_ALWAYS);
        node->state.enter(EventGraph::State::kParked);
        node->failed = false;
        if (cancelled) {
            finish(task, -ECANCELED);
        } else {
            start(task);
        }
    }
    return ready_.size();
}

int Client::read_variable(uint64_t index, uint64_t* value) {
    Region* arena = regions_.arena();
    const uint64_t* word =
        arena == nullptr || index > UINT32_MAX ? nullptr : arena->word(index * sizeof(uint64_t));
    if (word == nullptr) return -EFAULT;
    *value = fc_load_relaxed(word);
    return 0;
}

int Client::resolve(const fc_command& command, Operands& out) {
    out = {command.handle, command.offset, command.buffer, command.length, command.region};
    const uint16_t flags = command.flags;
    constexpr uint16_t kVariables =
        FC_F_VAR_HANDLE | FC_F_VAR_OFFSET | FC_F_VAR_LENGTH | FC_F_VAR_BUFFER | FC_F_VAR_REGION;
    if (!(flags & kVariables)) [[likely]]
        return 0;
    int err = 0;
    uint64_t length = command.length;
    if (flags & FC_F_VAR_HANDLE) err |= read_variable(command.handle, &out.handle);
    if (flags & FC_F_VAR_OFFSET) err |= read_variable(command.offset, &out.offset);
    if (flags & FC_F_VAR_BUFFER) err |= read_variable(command.buffer, &out.buffer);
    if (flags & FC_F_VAR_REGION) err |= read_variable(command.region, &out.handle2);
    if (flags & FC_F_VAR_LENGTH) err |= read_variable(command.length, &length);
    if (err != 0) return -EFAULT;
    if (length > FC_MAX_TRANSFER) return -EINVAL;
    out.length = static_cast<uint32_t>(length);
    return 0;
}

int Client::check_result_variable(const fc_command& command) {
    if (!(command.flags & (FC_F_RESULT_STORE | FC_F_RESULT_ADD))) [[likely]]
        return 0;
    Region* arena = regions_.arena();
    return arena != nullptr && arena->word(command.result_var * sizeof(uint64_t)) != nullptr ? 0 : -EFAULT;
}

void Client::store_result(const fc_command& command, int64_t result) {
    Region* arena = regions_.arena();
    uint64_t* word = arena == nullptr ? nullptr : arena->word(command.result_var * sizeof(uint64_t));
    if (word == nullptr || result < 0) return;
    const uint64_t before = command.flags & FC_F_RESULT_ADD ? fc_load_relaxed(word) : 0;
    fc_store_relaxed(word, before + static_cast<uint64_t>(result));
}

}  // namespace farcall
