// SPDX-License-Identifier: MIT
// What both sides of a service share: names, budgets, and the way of an answer back to the caller's worker.
#include "host-lib/service.h"

#include <cerrno>
#include <cstring>

#include "host-lib/service_host.h"
#include "host-lib/service_waiter.h"
#include "host-lib/worker.h"

namespace farcall {

bool ServiceRegistry::add(const std::shared_ptr<Service>& service) {
    const std::lock_guard guard(lock_);
    return services_.emplace(service->name, service).second;
}

void ServiceRegistry::remove(const Service& service) {
    const std::lock_guard guard(lock_);
    const auto found = services_.find(service.name);
    if (found != services_.end() && found->second.get() == &service) services_.erase(found);
}

std::shared_ptr<Service> ServiceRegistry::find(const std::string& name) const {
    const std::lock_guard guard(lock_);
    const auto found = services_.find(name);
    return found == services_.end() ? nullptr : found->second;
}

namespace {

void post_close(const std::shared_ptr<Service>& service, uint32_t session) {
    if (service->dead.load(std::memory_order_relaxed)) return;
    service->home.post([service, session](Worker&) {
        if (service->host != nullptr) service->host->close_session(session);
    });
}

// On the caller's worker. A caller that is gone, or has cancelled, has no waiter of that reference any more.
void deliver_answer(Worker& worker, Call& call, int64_t result, const MemoryRange& reply,
                    std::span<const std::byte> copy) {
    Client* client = worker.find_client(call.caller);
    auto* waiter = client == nullptr ? nullptr : static_cast<CallWaiter*>(client->waiter(call.ref));
    if (waiter != nullptr) return waiter->complete(result, reply, copy);
    if (call.kind == FC_CALL_OPEN && result >= 0) post_close(call.service, call.session);
}

class AnswerMessage final : public Message {
  public:
    AnswerMessage(std::shared_ptr<Call> call, int64_t result) : call_(std::move(call)), result_(result) {}
    void run(Worker& worker) override { deliver_answer(worker, *call_, result_, {}, reply_); }
    void copy_reply(const MemoryRange& reply) {
        reply_.resize(reply.bytes);
        reply.region->copy_out(reply.at, reply_.data(), reply.bytes);
    }

  private:
    std::shared_ptr<Call> call_;
    int64_t result_;
    std::vector<std::byte> reply_;
};

}  // namespace

ServiceHandle::~ServiceHandle() {
    post_close(service, session);
}

void copy_between(const MemoryRange& from, const Region& to, uint64_t at) {
    uint64_t done = 0;
    while (done < from.bytes) {
        iovec source;
        iovec target;
        uint64_t covered = 0;
        from.region->slice(from.at + done, from.bytes - done, {&source, 1}, &covered);
        to.slice(at + done, covered, {&target, 1}, &covered);
        std::memmove(target.iov_base, source.iov_base, covered);
        done += covered;
    }
}

void answer_call(Worker& here, const std::shared_ptr<Call>& call, int64_t result, const MemoryRange& reply) {
    call->state = Call::State::kAnswered;
    if (call->home == nullptr) return;
    if (call->home == &here) return deliver_answer(here, *call, result, reply, {});
    auto message = std::make_unique<AnswerMessage>(call, result);
    if (reply.bytes > 0) message->copy_reply(reply);
    call->home->post(std::move(message));
}

void answer_call_later(const std::shared_ptr<Call>& call, int64_t result) {
    call->state = Call::State::kAnswered;
    if (call->home != nullptr) call->home->post(std::make_unique<AnswerMessage>(call, result));
}

}  // namespace farcall
