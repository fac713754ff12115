// SPDX-License-Identifier: MIT
#include "host-lib/service_waiter.h"

#include <cerrno>

#include "host-lib/service_host.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

// On the server's worker.
void arrive(Worker& worker, const std::shared_ptr<Call>& call, const MemoryRange& request) {
    ServiceHost* host = call->service->host;
    if (host == nullptr) return answer_call(worker, call, -EPIPE, {});
    host->deliver(call, request);
}

class CallMessage final : public Message {
  public:
    explicit CallMessage(std::shared_ptr<Call> call) : call_(std::move(call)) {}
    void run(Worker& worker) override { arrive(worker, call_, {}); }

  private:
    std::shared_ptr<Call> call_;
};

}  // namespace

CallWaiter::~CallWaiter() {
    if (!out_ || call_->service->dead.load(std::memory_order_relaxed)) return;
    call_->service->home.post([call = call_](Worker&) {
        if (call->service->host != nullptr) call->service->host->abandon(*call);
    });
}

void CallWaiter::send(EventGraph::Ref ref, const MemoryRange& request) {
    call_->home = &client_.worker();
    call_->caller = client_.id();
    call_->ref = ref;
    out_ = true;
    const std::shared_ptr<Call> call = call_;  // this may be gone before the call
    Worker& server = call->service->home;
    if (&server == call->home) return arrive(server, call, request);
    server.post(std::make_unique<CallMessage>(call));
}

void CallWaiter::complete(int64_t result, const MemoryRange& reply, std::span<const std::byte> copy) {
    out_ = false;
    if (result >= 0 && call_->kind == FC_CALL_OPEN)
        result = client_.handles().add(std::make_shared<ServiceHandle>(call_->service, call_->session));
    if (reply.bytes > 0) copy_between(reply, memory_->region(), at_);
    if (!copy.empty()) memory_->region().copy_in(at_, copy.data(), copy.size());
    client_.resume(call_->ref, result);  // destroys this
}

}  // namespace farcall
