// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "host-lib/region.h"
#include "host-lib/service.h"
#include "host-lib/waiter.h"

namespace farcall {

class Client;

/// The server's side of a service: what a SERVE command waits as, from its start to its end. Puts calls into
/// the slots of the server's memory, in turn between the sessions, and gives each call that it took exactly
/// one answer. Used by the server's worker only.
class ServiceHost final : public Waiter {
  public:
    /// `layout` has been checked; `index`: the place in ServiceState::hosts.
    ServiceHost(Client& client, std::shared_ptr<Service> service, RegionPin memory, const fc_serve& layout,
                uint32_t index);
    /// The end of the service: its name is free, every call of it fails with -ECONNRESET.
    ~ServiceHost() override;

    /// The service of `client` that gave out a token of this form; nullptr if it is over. find() looks at the
    /// rest.
    static ServiceHost* of_token(Client& client, uint64_t token);

    /// The SERVE command is suspended and has this reference: calls may come.
    void start(EventGraph::Ref ref) { ref_ = ref; }
    void on_credit() override;

    /// Takes a call over: into a slot, into the queue, or refused (-EAGAIN, -EPIPE). `request`: where it
    /// lies, if it is in memory of this worker; else in call->request.
    void deliver(const std::shared_ptr<Call>& call, const MemoryRange& request);
    /// The caller no longer waits.
    void abandon(Call& call);
    /// The caller has closed its handle: the server hears of it after the session's last call.
    void close_session(uint32_t session);

    /// The call that a token names; nullptr when it names none (any more).
    Call* find(uint64_t token) const;
    /// Ends it and frees its slot.
    void finish(uint64_t token, int64_t result, const MemoryRange& reply);

  private:
    struct Slot {
        std::shared_ptr<Call> call;
        uint64_t token = 0;
    };
    struct Session {
        std::deque<std::shared_ptr<Call>> waiting;
        uint32_t serial = 0;  ///< of its client
        uint32_t in_slots = 0;
        bool closing = false;
    };

    bool place(const std::shared_ptr<Call>& call, const MemoryRange& request);
    void pump();
    void enqueue(uint32_t session, std::shared_ptr<Call> call);
    void end_if_idle(uint32_t session);

    Client& client_;
    const std::shared_ptr<Service> service_;
    const RegionPin memory_;
    const fc_serve layout_;
    const uint32_t index_;
    EventGraph::Ref ref_{};
    std::vector<Slot> slots_;
    std::vector<uint32_t> free_;
    std::unordered_map<uint32_t, Session> sessions_;
    std::deque<uint32_t> turns_;  ///< sessions with waiting calls, each once
    uint32_t next_session_ = 1;
    uint32_t waiting_ = 0;  ///< calls in all queues
    bool starved_ = false;  ///< no event slot was free; on_credit() comes
};

}  // namespace farcall
