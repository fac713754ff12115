// SPDX-License-Identifier: MIT
// Commands that have started and not ended: jobs elsewhere, waiters, and shots of those that complete many
// times.
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/file_job.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr uint32_t kFedAtOnce = 64;

}  // namespace

int64_t Client::run_elsewhere(Task& task, std::unique_ptr<FileJob> job, BlockingPool& pool) {
    if (int err = graph_.ensure_node(task)) return err;
    EventGraph::Node& node = graph_.node(task.node);
    node.state.enter(EventGraph::State::kRunning);
    node.task = task;
    running_++;
    job->attach(*this, task.node);
    std::unique_ptr<Job> step = std::move(job);
    if (worker_.run_in_kernel(step)) {
        worker_.stats().uring_jobs.add();
        return kPending;
    }
    worker_.stats().pool_jobs.add();
    pool.post(std::move(step));
    return kPending;
}

void Client::job_back(uint32_t index, int64_t result) {
    running_--;
    Task task = graph_.node(index).task;
    finish(task, result);
}

int64_t Client::suspend(Task& task, std::unique_ptr<Waiter> waiter) {
    if (int err = graph_.ensure_node(task)) return err;
    EventGraph::Node& node = graph_.node(task.node);
    node.state.enter(EventGraph::State::kSuspended);
    node.task = task;
    waiters_[task.node] = std::move(waiter);
    return kPending;
}

void Client::resume(EventGraph::Ref ref, int64_t result, uint8_t event_flags) {
    const EventGraph::Node* node = graph_.resolve(ref);
    if (node == nullptr || node->state != EventGraph::State::kSuspended) return;
    Task task = node->task;
    finish(task, result, event_flags);
}

bool Client::can_shoot(EventGraph::Ref ref) {
    const EventGraph::Node* node = graph_.resolve(ref);
    if (node == nullptr || node->task.channel == nullptr) return true;
    Channel& channel = *node->task.channel;
    if (channel.has_credit()) return true;
    channel.hungry.push_back(ref);
    return false;
}

Waiter* Client::waiter(EventGraph::Ref ref) {
    const EventGraph::Node* node = graph_.resolve(ref);
    if (node == nullptr || node->state != EventGraph::State::kSuspended) return nullptr;
    const auto found = waiters_.find(ref.node);
    return found == waiters_.end() ? nullptr : found->second.get();
}

bool Client::shot(EventGraph::Ref ref, int64_t result, uint8_t event_flags) {
    const EventGraph::Node* node = graph_.resolve(ref);
    if (node == nullptr || node->task.channel == nullptr) return true;
    Channel& channel = *node->task.channel;
    if (!channel.reserve_shot()) {
        channel.hungry.push_back(ref);
        return false;
    }
    count_bytes(node->task.cmd, moved_bytes(result, event_flags));
    complete_event(node->task, result, event_flags | FC_E_MORE);
    return true;
}

void Client::feed(Channel& channel) {
    for (uint32_t i = 0; i < kFedAtOnce && channel.starved(); i++) {
        const EventGraph::Ref ref = channel.hungry.front();
        channel.hungry.pop_front();
        if (graph_.resolve(ref) == nullptr) continue;
        auto found = waiters_.find(ref.node);
        if (found != waiters_.end()) found->second->on_credit();
    }
}

}  // namespace farcall
