// SPDX-License-Identifier: MIT
#include "host-lib/service_host.h"

#include <algorithm>
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr size_t kMaxSessions = 1024;      ///< of one service
constexpr size_t kMaxWaiting = 256;        ///< calls of one session that have no slot yet
constexpr uint32_t kMaxWaitingAll = 4096;  ///< of all sessions; beyond it, one for each session

// A token: number of the call (new for each), index of the service, slot.
constexpr uint32_t kSlotBits = 12;
constexpr uint32_t kIndexBits = 4;
static_assert(FC_MAX_SERVICE_SLOTS <= 1u << kSlotBits && ServiceState::kMaxHosts <= 1u << kIndexBits);

uint32_t slot_of(uint64_t token) {
    return static_cast<uint32_t>(token & ((1u << kSlotBits) - 1));
}

}  // namespace

ServiceHost* ServiceHost::of_token(Client& client, uint64_t token) {
    return client.services().hosts[token >> kSlotBits & ((1u << kIndexBits) - 1)];
}

ServiceHost::ServiceHost(Client& client, std::shared_ptr<Service> service, RegionPin memory,
                         const fc_serve& layout, uint32_t index)
    : client_(client),
      service_(std::move(service)),
      memory_(std::move(memory)),
      layout_(layout),
      index_(index),
      slots_(layout.slots.length / layout.slot_bytes) {
    for (auto slot = static_cast<uint32_t>(slots_.size()); slot > 0; slot--)
        free_.push_back(slot - 1);
    service_->host = this;
    client_.services().hosts[index_] = this;
}

ServiceHost::~ServiceHost() {
    client_.domain().services.remove(*service_);
    client_.services().hosts[index_] = nullptr;
    service_->host = nullptr;
    service_->dead.store(true, std::memory_order_relaxed);
    // By messages: this runs inside the completion of a command, perhaps of a caller of its own service.
    for (const Slot& slot : slots_)
        if (slot.call != nullptr && !slot.call->abandoned) answer_call_later(slot.call, -ECONNRESET);
    for (const auto& [id, session] : sessions_)
        for (const auto& call : session.waiting)
            answer_call_later(call, -ECONNRESET);
}

void ServiceHost::on_credit() {
    starved_ = false;
    pump();
}

void ServiceHost::deliver(const std::shared_ptr<Call>& call, const MemoryRange& request) {
    if (call->kind == FC_CALL_OPEN) {
        if (sessions_.size() >= kMaxSessions) return answer_call(service_->home, call, -EAGAIN, {});
        while (next_session_ == 0 || sessions_.contains(next_session_))
            next_session_++;
        call->session = next_session_++;
        sessions_[call->session].serial = call->serial;
    }
    const auto found = sessions_.find(call->session);
    if (found == sessions_.end()) return answer_call(service_->home, call, -EPIPE, {});
    Session& session = found->second;
    if (turns_.empty() && place(call, request)) {
        session.in_slots++;
        return;
    }
    const bool full =
        session.waiting.size() >= kMaxWaiting || (waiting_ >= kMaxWaitingAll && !session.waiting.empty());
    int err = full ? -EAGAIN : 0;
    if (err == 0 && request.bytes > 0) {
        // It has to wait: from here on nothing of it depends on the caller's memory.
        err = call->charge(request.bytes) ? 0 : -EAGAIN;
        if (err == 0) {
            call->request.resize(request.bytes);
            request.region->copy_out(request.at, call->request.data(), request.bytes);
        }
    }
    if (err == 0) return enqueue(call->session, call);
    if (call->kind == FC_CALL_OPEN) sessions_.erase(found);
    answer_call(service_->home, call, err, {});
}

// Writes the call into a free slot and tells the server. False: no slot, or no event slot.
bool ServiceHost::place(const std::shared_ptr<Call>& call, const MemoryRange& request) {
    if (free_.empty() || starved_) return false;
    const uint32_t slot = free_.back();
    const uint64_t token = ++client_.services().calls << (kSlotBits + kIndexBits) |
                           static_cast<uint64_t>(index_) << kSlotBits | slot;
    const fc_call header{
        token,         static_cast<fc_u32>(call->kind), call->op, call->serial, call->argument, call->bytes,
        call->capacity};
    const uint64_t at = layout_.slots.buffer + static_cast<uint64_t>(slot) * layout_.slot_bytes;
    const Region& memory = memory_.region();
    memory.copy_in(at, &header, sizeof(header));
    if (request.bytes > 0) {
        copy_between(request, memory, at + sizeof(header));
    } else if (!call->request.empty()) {
        memory.copy_in(at + sizeof(header), call->request.data(), call->request.size());
    }
    if (!client_.shot(ref_, slot)) {
        starved_ = true;
        return false;
    }
    free_.pop_back();
    call->request = {};
    call->state = Call::State::kInSlot;
    slots_[slot] = {call, token};
    return true;
}

void ServiceHost::enqueue(uint32_t id, std::shared_ptr<Call> call) {
    Session& session = sessions_[id];
    call->state = Call::State::kWaiting;
    session.waiting.push_back(std::move(call));
    waiting_++;
    if (session.waiting.size() == 1) turns_.push_back(id);
}

// One call of each session in turn, as long as there are slots.
void ServiceHost::pump() {
    while (!turns_.empty()) {
        const uint32_t id = turns_.front();
        Session& session = sessions_[id];
        if (!place(session.waiting.front(), {})) return;
        session.waiting.pop_front();
        session.in_slots++;
        waiting_--;
        turns_.pop_front();
        if (!session.waiting.empty()) turns_.push_back(id);
    }
}

void ServiceHost::abandon(Call& call) {
    call.abandoned = true;
    if (call.state != Call::State::kWaiting) return;
    const uint32_t id = call.session;
    const bool opening = call.kind == FC_CALL_OPEN;
    Session& session = sessions_[id];
    std::erase_if(session.waiting, [&](const auto& waiting) { return waiting.get() == &call; });
    waiting_--;
    if (session.waiting.empty()) std::erase(turns_, id);
    if (opening) {
        sessions_.erase(id);
    } else {
        end_if_idle(id);
    }
}

void ServiceHost::close_session(uint32_t id) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    found->second.closing = true;
    end_if_idle(id);
}

// The notice that a session is over comes after the last of its calls.
void ServiceHost::end_if_idle(uint32_t id) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || !found->second.closing) return;
    Session& session = found->second;
    if (!session.waiting.empty() || session.in_slots > 0) return;
    auto notice = std::make_shared<Call>();
    notice->service = service_;
    notice->kind = FC_CALL_CLOSE;
    notice->session = id;
    notice->serial = session.serial;
    enqueue(id, std::move(notice));
    pump();
}

Call* ServiceHost::find(uint64_t token) const {
    const uint32_t slot = slot_of(token);
    return slot < slots_.size() && slots_[slot].call != nullptr && slots_[slot].token == token
               ? slots_[slot].call.get()
               : nullptr;
}

void ServiceHost::finish(uint64_t token, int64_t result, const MemoryRange& reply) {
    const uint32_t slot = slot_of(token);
    const std::shared_ptr<Call> call = std::exchange(slots_[slot].call, nullptr);
    free_.push_back(slot);
    sessions_[call->session].in_slots--;
    const bool refused = call->kind == FC_CALL_OPEN && (result < 0 || call->abandoned);
    if (refused || call->kind == FC_CALL_CLOSE) {
        sessions_.erase(call->session);
    } else {
        end_if_idle(call->session);
    }
    if (!call->abandoned) answer_call(service_->home, call, result, reply);
    pump();
}

}  // namespace farcall
