// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "host-lib/budget.h"
#include "host-lib/engine.h"
#include "host-lib/event_graph.h"
#include "host-lib/handle_table.h"
#include "host-lib/region.h"

namespace farcall {

class ServiceHost;
class Worker;

/// A name that a client of the domain serves. Found by every worker; the server's side of it belongs to
/// `home`.
struct Service {
    Service(std::string service_name, Worker& worker, uint32_t payload)
        : name(std::move(service_name)), home(worker), payload_bytes(payload) {}

    const std::string name;
    Worker& home;                   ///< the server's worker
    const uint32_t payload_bytes;   ///< room for a request in a slot
    std::atomic<bool> dead{false};  ///< the server is gone: nothing more is sent to it
    ServiceHost* host = nullptr;    ///< used on `home` only; nullptr once the service is gone
};

/// The names of a domain. A lock, since only SERVE and SERVICE_OPEN look here.
class ServiceRegistry {
  public:
    /// False when the name is taken.
    bool add(const std::shared_ptr<Service>& service);
    void remove(const Service& service);
    /// nullptr when nobody serves that name.
    std::shared_ptr<Service> find(const std::string& name) const;

  private:
    mutable std::mutex lock_;
    std::map<std::string, std::shared_ptr<Service>> services_;
};

/// What a client needs to serve and to call. Used by its worker only, but for the budget.
struct ServiceState {
    static constexpr uint32_t kMaxHosts = 16;
    std::array<ServiceHost*, kMaxHosts> hosts{};  ///< by the index that is part of each token
    uint64_t calls = 0;                           ///< calls that it was given: makes tokens new
    std::shared_ptr<Budget> budget;               ///< of the requests that it sends
};

/// A handle of a service: one session that the server has agreed to. Its end tells the server.
struct ServiceHandle final : HostObject {
    static constexpr Type kType = Type::kService;

    ServiceHandle(std::shared_ptr<Service> opened, uint32_t number)
        : HostObject(kType), service(std::move(opened)), session(number) {}
    ~ServiceHandle() override;

    const std::shared_ptr<Service> service;
    const uint32_t session;
};

/// A request on its way to a server and back: a SERVICE_OPEN, a CALL, or the end of a session. The caller's
/// worker fills it and hands it over; from then on only the server's worker writes to it, until it has
/// answered.
struct Call {
    enum class State : uint8_t { kNew, kWaiting, kInSlot, kAnswered };

    Call() = default;
    ~Call() {
        if (budget) budget->give(charged);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    std::shared_ptr<Service> service;
    fc_call_kind kind = FC_CALL_OP;
    uint32_t op = 0;
    uint32_t argument = 0;
    uint32_t bytes = 0;
    uint32_t capacity = 0;
    uint32_t serial = 0;             ///< of the caller
    uint32_t session = 0;            ///< of an open: given by the server's worker
    std::vector<std::byte> request;  ///< empty while it still lies in the caller's memory, or in the slot

    Worker* home = nullptr;  ///< the caller's worker; nullptr: nobody waits for an answer
    ClientId caller = 0;
    EventGraph::Ref ref{};

    std::shared_ptr<Budget> budget;  ///< the caller's
    uint64_t charged = 0;
    /// Counts memory that the call takes now, until its end. False: over the budget.
    bool charge(uint64_t amount) {
        if (budget != nullptr && !budget->take(amount)) return false;
        charged += amount;
        return true;
    }

    State state = State::kNew;
    bool abandoned = false;  ///< the caller no longer waits
};

/// Bytes in registered memory. The copy may overlap: two clients can register the same memory.
struct MemoryRange {
    const Region* region = nullptr;
    uint64_t at = 0;
    uint32_t bytes = 0;
};
void copy_between(const MemoryRange& from, const Region& to, uint64_t at);

/// Gives a call its result, on any worker. `reply`: what to copy to the caller, in memory of this worker.
void answer_call(Worker& here, const std::shared_ptr<Call>& call, int64_t result, const MemoryRange& reply);
/// The same by a message, also to this worker: safe wherever a client's state is being changed.
void answer_call_later(const std::shared_ptr<Call>& call, int64_t result);

}  // namespace farcall
