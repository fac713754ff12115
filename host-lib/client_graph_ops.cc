// SPDX-License-Identifier: MIT
// The ops that act on the event graph itself: timer, user events, cancel.
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/worker.h"

namespace farcall {

using State = EventGraph::State;

int64_t Client::op_timer(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_TIMER_ABSOLUTE) return -EINVAL;
    const uint64_t now = monotonic_ns();
    uint64_t deadline = operands.offset;
    if (!(task.cmd.op_flags & FC_TIMER_ABSOLUTE) && __builtin_add_overflow(now, operands.offset, &deadline)) {
        return -EINVAL;
    }
    if (deadline <= now) return 0;
    if (!client.graph_.ensure_node(task)) return -ENOSPC;
    EventGraph::Node& node = client.graph_.node(task.node);
    node.state = State::kTimer;
    node.task = task;
    client.worker_.timers().add({deadline, client.id_, client.graph_.ref(task.node)});
    return kPending;
}

bool Client::has_timer(EventGraph::Ref ref) {
    const EventGraph::Node* node = graph_.resolve(ref);
    return node != nullptr && node->state == State::kTimer;
}

void Client::timer_due(EventGraph::Ref ref) {
    EventGraph::Node* node = graph_.resolve(ref);
    if (node == nullptr || node->state != State::kTimer) return;
    Task task = node->task;
    finish(task, 0);
}

int64_t Client::op_event_wait(Client& client, Task& task, const Operands&) {
    if (!(task.cmd.flags & FC_F_ID)) return -EINVAL;  // nobody could ever set it
    if (!client.graph_.ensure_node(task)) return -ENOSPC;
    EventGraph::Node& node = client.graph_.node(task.node);
    node.state = State::kUserEvent;
    node.task = task;
    return kPending;
}

int64_t Client::op_event_set(Client& client, Task&, const Operands& operands) {
    if (operands.length > INT32_MAX) return -EINVAL;
    if (operands.offset >> FC_ID_BITS != client.graph_.serial()) return -EPERM;
    EventGraph::Node* node = client.graph_.find(operands.offset);
    if (node == nullptr || node->state != State::kUserEvent) return -ENOENT;
    Task target = node->task;
    client.finish(target, operands.length);
    return 0;
}

int64_t Client::op_cancel(Client& client, Task& task, const Operands& operands) {
    if (operands.offset >> FC_ID_BITS != client.graph_.serial()) return -EPERM;
    if ((task.cmd.flags & FC_F_ID) && operands.offset == task.cmd.id) return -EDEADLK;
    EventGraph::Node* node = client.graph_.find(operands.offset);
    if (node == nullptr || node->state == State::kExpected || node->state == State::kFree) return -ENOENT;
    if (node->state == State::kRunning) return -EALREADY;
    Task target = node->task;
    client.finish(target, -ECANCELED);
    return 0;
}

}  // namespace farcall
