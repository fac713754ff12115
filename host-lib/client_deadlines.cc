// SPDX-License-Identifier: MIT
// What happens to a client's commands at a certain time: timers and deadlines.
#include <algorithm>
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

using State = EventGraph::State;
using Kind = TimerQueue::Kind;

constexpr uint64_t kMinPeriod = 1000;  ///< ns

/// Adds up to "never" instead of wrapping around.
uint64_t later(uint64_t time, uint64_t by) {
    uint64_t sum = 0;
    return __builtin_add_overflow(time, by, &sum) ? UINT64_MAX : sum;
}

// FC_F_MULTISHOT. Periods count from the first due time, so they do not drift; those that pass while the
// worker is late or the client has no event slot are one shot, which says how many they were.
class PeriodicTimer final : public Waiter {
  public:
    PeriodicTimer(Client& client, EventGraph::Ref ref, uint64_t first, uint64_t period)
        : client_(client), ref_(ref), next_(first), period_(period) {}

    void on_timer(uint64_t now) override {
        missed_ += (now - next_) / period_ + 1;
        next_ = later(next_, (now - next_) / period_ * period_);
        next_ = later(next_, period_);
        const auto result = static_cast<int64_t>(std::min<uint64_t>(missed_, INT32_MAX));
        // Without an event slot the timer rests: on_credit() makes up for it.
        if (!client_.shot(ref_, result)) return;
        missed_ = 0;
        client_.set_timer(ref_, next_);
    }
    void on_credit() override { on_timer_again(monotonic_ns()); }

  private:
    void on_timer_again(uint64_t now) {
        if (now >= next_) return on_timer(now);
        if (missed_ > 0 && !client_.shot(ref_, static_cast<int64_t>(std::min<uint64_t>(missed_, INT32_MAX))))
            return;
        missed_ = 0;
        client_.set_timer(ref_, next_);
    }

    Client& client_;
    EventGraph::Ref ref_;
    uint64_t next_;
    uint64_t period_;
    uint64_t missed_ = 0;  ///< periods that no shot has told of
};

}  // namespace

int64_t Client::op_timer(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_TIMER_ABSOLUTE) return -EINVAL;
    const bool periodic = task.cmd.flags & FC_F_MULTISHOT;
    if (periodic ? operands.buffer < kMinPeriod : operands.buffer != 0) return -EINVAL;
    const uint64_t now = monotonic_ns();
    uint64_t due = operands.offset;
    if (!(task.cmd.op_flags & FC_TIMER_ABSOLUTE) && __builtin_add_overflow(now, operands.offset, &due)) {
        return -EINVAL;
    }
    if (!periodic && due <= now) return 0;
    if (int err = client.graph_.ensure_node(task)) return err;
    const EventGraph::Ref ref = client.graph_.ref(task.node);
    if (periodic) {
        const int64_t pending =
            client.suspend(task, std::make_unique<PeriodicTimer>(client, ref, due, operands.buffer));
        client.set_timer(ref, due);
        return pending;
    }
    EventGraph::Node& node = client.graph_.node(task.node);
    node.state.enter(State::kTimer);
    node.task = task;
    node.due = due;
    node.due_timer = client.worker_.timers().add({due, client.id_, Kind::kTimer, ref});
    return kPending;
}

void Client::set_timer(EventGraph::Ref ref, uint64_t when) {
    EventGraph::Node* node = graph_.resolve(ref);
    if (node == nullptr || node->state != State::kSuspended) return;
    if (node->due != 0) worker_.timers().remove(node->due_timer);
    node->due = when;
    if (when != 0) node->due_timer = worker_.timers().add({when, id_, Kind::kWaiter, ref});
}

// The deadline that a command brings along. It may be an earlier one once its wait list is known.
int Client::take_deadline(Task& task) {
    const uint64_t now = monotonic_ns();
    const bool chain = task.cmd.flags & FC_F_CHAIN_DEADLINE;
    if (chain && graph_.chains_full(now)) return -ENOSPC;
    if (int err = graph_.ensure_node(task)) return err;
    EventGraph::Node& node = graph_.node(task.node);
    node.deadline = now + task.cmd.deadline * 1000ull;
    if (chain) node.chain = node.deadline;
    return 0;
}

// A command that runs in a pool can't be interrupted: it is left to complete by itself.
void Client::arm_deadline(uint32_t index) {
    EventGraph::Node& node = graph_.node(index);
    if (node.deadline == 0 || node.deadline_armed || node.state == State::kRunning) return;
    node.deadline_armed = true;
    node.deadline_timer = worker_.timers().add({node.deadline, id_, Kind::kDeadline, graph_.ref(index)});
}

void Client::lower_deadline(EventGraph::Ref ref, uint64_t when) {
    EventGraph::Node* node = graph_.resolve(ref);
    if (node == nullptr || (node->deadline != 0 && node->deadline <= when)) return;
    drop_deadline(*node);
    node->deadline = when;
    arm_deadline(ref.node);
}

void Client::drop_deadline(EventGraph::Node& node) {
    if (!node.deadline_armed) return;
    node.deadline_armed = false;
    worker_.timers().remove(node.deadline_timer);
}

// A command is over: what would have happened to it later does not.
void Client::drop_timers(uint32_t index) {
    EventGraph::Node& node = graph_.node(index);
    drop_deadline(node);
    if (node.due == 0) return;
    worker_.timers().remove(node.due_timer);
    node.due = 0;
}

void Client::timer_due(const TimerQueue::Entry& entry, uint64_t now) {
    if (entry.kind == Kind::kDetached) {
        detached_timer_.reset();
        return end_detached();
    }
    EventGraph::Node* node = graph_.resolve(entry.ref);
    if (node == nullptr) return;
    if (entry.kind == Kind::kDeadline) {
        node->deadline_armed = false;
        if (node->state == State::kRunning) return;
        Task task = node->task;
        return finish(task, -ETIMEDOUT);
    }
    node->due = 0;
    if (entry.kind == Kind::kWaiter) return waiters_.at(entry.ref.node)->on_timer(now);
    Task task = node->task;
    finish(task, 0);
}

}  // namespace farcall
