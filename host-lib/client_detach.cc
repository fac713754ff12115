// SPDX-License-Identifier: MIT
// The end of a channel and of a client, and what outlives them: commands with FC_F_DETACH.
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/file_job.h"
#include "host-lib/operand_use.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

using State = EventGraph::State;

void signal(int fd) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = write(fd, &one, sizeof(one));
}

bool in_flight(const EventGraph::Node& node) {
    return node.state != State::kFree && node.state != State::kExpected;
}

}  // namespace

int Client::cancel_fd(const Task& task) {
    if (!(task.cmd.flags & FC_F_DETACH)) return cancel_fd_.get();
    if (!detached_fd_) detached_fd_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return detached_fd_.get();
}

// What was posted before the end, and says that it outlives it, is taken now. The rest is dropped.
void Client::take_detached(Channel& channel) {
    Task task;
    for (uint32_t left = channel.command_slots(); left > 0 && channel.next(task.cmd); left--) {
        if (!(task.cmd.flags & FC_F_DETACH)) continue;
        task.channel = &channel;
        task.node = kNoNode;
        accept(task);
    }
}

// What waits is cancelled, unless it is detached; what runs elsewhere finishes later. Neither gives an event.
void Client::leave_channel(const Channel& channel) {
    for (uint32_t i = 0; i < graph_.node_count(); i++) {
        EventGraph::Node& node = graph_.node(i);
        if (!in_flight(node) || node.task.channel != &channel) continue;
        node.task.channel = nullptr;
        if (node.state == State::kRunning || (node.task.cmd.flags & FC_F_DETACH)) continue;
        Task task = node.task;
        finish(task, -ECANCELED);
    }
}

ControlResult Client::destroy_channel(ChannelId id) {
    auto found = channels_.find(id);
    if (found == channels_.end()) return {-ENOENT};
    Channel& channel = *found->second;
    take_detached(channel);
    leave_channel(channel);
    worker_.remove_channel(channel);
    channels_.erase(found);
    domain_->channels--;
    return {};
}

void Client::destroy(ControlDone done) {
    destroyed_ = std::move(done);
    if (dying_) return;
    for (auto& [id, channel] : channels_)
        take_detached(*channel);
    dying_ = true;
    for (auto& [id, channel] : channels_) {
        leave_channel(*channel);
        worker_.remove_channel(*channel);
    }
    domain_->channels -= static_cast<uint32_t>(channels_.size());
    channels_.clear();
    graph_.abandon(released_);
    queue_released();
    signal(cancel_fd_.get());
    worker_.mark_ready(*this);
    if (graph_.live_nodes() == running_) return;
    detached_until_ = monotonic_ns() + static_cast<uint64_t>(domain_->limits.max_detached.count());
    detached_timer_ = worker_.timers().add({detached_until_, id_, TimerQueue::Kind::kDetached});
    release_unused();
    if (const auto oldest = domain_->left_behind.add(id_, domain_->limits.max_detached_clients))
        end_detached_of(domain_, *oldest);
}

void end_detached_of(const std::shared_ptr<DomainState>& domain, ClientId client) {
    domain->workers[client % domain->workers.size()]->post([domain, client](Worker& home) {
        Client* found = home.find_client(client);
        if (found != nullptr && &found->domain() == domain.get()) found->end_detached();
    });
}

void Client::end_detached() {
    if (!dying_) return;
    if (detached_fd_) signal(detached_fd_.get());
    cancel_where([](const fc_command&) { return true; }, kNoNode);
    worker_.mark_ready(*this);
}

// Nothing that the commands that go on can reach stays open or mapped. When they take handles or regions from
// memory, that may be any.
void Client::release_unused() {
    std::vector<const fc_command*> left;
    for (uint32_t i = 0; i < graph_.node_count(); i++) {
        const EventGraph::Node& node = graph_.node(i);
        if (!in_flight(node)) continue;
        if (!operands_known(node.task.cmd)) return;
        left.push_back(&node.task.cmd);
    }
    const auto any = [&left](auto uses) {
        return std::any_of(left.begin(), left.end(),
                           [&](const fc_command* command) { return uses(*command); });
    };
    for (auto& object : handles_.keep_only([&](uint32_t handle) {
             return any([=](const fc_command& c) { return uses_handle(c, handle); });
         }))
        drop_elsewhere(worker_, std::move(object));
    regions_.keep_only(
        [&](uint32_t key) { return any([=](const fc_command& c) { return uses_region(c, key); }); });
}

uint32_t Client::cancel_where(const std::function<bool(const fc_command&)>& wanted, uint32_t except) {
    uint32_t count = 0;
    graph_.add_cost(graph_.node_count());
    for (uint32_t i = 0; i < graph_.node_count(); i++) {
        const EventGraph::Node& node = graph_.node(i);
        if (i == except || !in_flight(node) || node.state == State::kRunning || !wanted(node.task.cmd))
            continue;
        Task task = node.task;
        finish(task, -ECANCELED);
        count++;
    }
    return count;
}

}  // namespace farcall
