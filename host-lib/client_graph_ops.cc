// SPDX-License-Identifier: MIT
// The ops that act on the event graph itself: user events, cancel, share.
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/operand_use.h"
#include "host-lib/worker.h"

namespace farcall {

using State = EventGraph::State;

int64_t Client::op_event_wait(Client& client, Task& task, const Operands&) {
    if (!(task.cmd.flags & FC_F_ID)) return -EINVAL;  // nobody could ever set it
    if (int err = client.graph_.ensure_node(task)) return err;
    EventGraph::Node& node = client.graph_.node(task.node);
    node.state.enter(State::kUserEvent);
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

int64_t Client::cancel_one(const Task& task, uint64_t id) {
    if (id >> FC_ID_BITS != graph_.serial()) return -EPERM;
    if ((task.cmd.flags & FC_F_ID) && id == task.cmd.id) return -EDEADLK;
    EventGraph::Node* node = graph_.find(id);
    if (node == nullptr || node->state == State::kExpected || node->state == State::kFree) return -ENOENT;
    if (node->state == State::kRunning) return -EALREADY;
    Task target = node->task;
    finish(target, -ECANCELED);
    return 0;
}

int64_t Client::op_cancel(Client& client, Task& task, const Operands& operands) {
    const uint16_t flags = task.cmd.flags;
    const uint16_t how = task.cmd.op_flags;
    if (how != 0 && how != FC_CANCEL_HANDLE && how != FC_CANCEL_ALL) return -EINVAL;
    const bool has_offset = task.cmd.offset != 0 || (flags & FC_F_VAR_OFFSET);
    const bool has_handle = task.cmd.handle != 0 || (flags & FC_F_VAR_HANDLE);
    if ((how != 0 && has_offset) || (how != FC_CANCEL_HANDLE && has_handle)) return -EINVAL;
    if (how == 0) return client.cancel_one(task, operands.offset);
    if (how == FC_CANCEL_ALL) return client.cancel_where([](const fc_command&) { return true; }, task.node);
    if (operands.handle > UINT32_MAX) return 0;
    const auto handle = static_cast<uint32_t>(operands.handle);
    return client.cancel_where([=](const fc_command& command) { return uses_handle(command, handle); },
                               task.node);
}

int64_t Client::op_event_share(Client& client, Task&, const Operands& operands) {
    ClientId other = EventShares::kAll;
    if (operands.length != 0) {
        int err = 0;
        const EventGraph* graph = client.worker_.graph_of_serial(client.id_, operands.length, &err);
        if (graph == nullptr) return err == -EPERM ? -ENOENT : err;
        other = graph->client();
    }
    return client.graph_.share(other, operands.offset, operands.buffer);
}

}  // namespace farcall
