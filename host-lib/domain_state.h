// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "host-lib/blocking_pool.h"
#include "host-lib/engine.h"
#include "host-lib/graph_budget.h"
#include "host-lib/handle_table.h"
#include "host-lib/serial_table.h"
#include "host-lib/service.h"
#include "host-lib/stats.h"

namespace farcall {

inline constexpr uint32_t kStreams = 5;  ///< FC_HANDLE_STDIN .. FC_HANDLE_LOG

/// Clients that are gone but for detached commands, in the order in which they went. Any thread.
class LeftBehind {
  public:
    /// Returns the oldest, and forgets it, when there are more than `limit` now.
    std::optional<ClientId> add(ClientId client, uint32_t limit) {
        const std::lock_guard guard(lock_);
        clients_.push_back(client);
        if (clients_.size() <= limit) return std::nullopt;
        const ClientId oldest = clients_.front();
        clients_.pop_front();
        return oldest;
    }
    void remove(ClientId client) {
        const std::lock_guard guard(lock_);
        std::erase(clients_, client);
    }

  private:
    std::mutex lock_;
    std::deque<ClientId> clients_;
};

/// What the clients of one domain share. Immutable after creation but for the atomics, the serials and the
/// budget, which any thread may use; lives as long as a client does.
struct DomainState : std::enable_shared_from_this<DomainState> {
    explicit DomainState(const Limits& given) : limits(given), graph_budget(given.max_graph_bytes) {}

    std::string name;
    Limits limits;
    std::vector<std::shared_ptr<File>> shares;
    NetPolicy net;
    std::shared_ptr<File> streams[kStreams];
    /// One thread for each stream, so that a read of a silent terminal holds up nothing else and writes keep
    /// their order.
    std::unique_ptr<BlockingPool> pumps[kStreams];
    std::vector<Worker*> workers;
    ServiceRegistry services;
    ClientStatsList client_stats;
    std::shared_ptr<Budget> call_budget;  ///< of all clients, as are the next two
    std::shared_ptr<Budget> region_budget;
    std::shared_ptr<Budget> handle_budget;
    std::atomic<uint32_t> channels{0};
    std::atomic<uint32_t>* next_worker = nullptr;  ///< engine-wide: clients are dealt out in turn
    SerialTable serials;
    GraphBudget graph_budget;
    std::atomic<uint32_t> clients{0};
    LeftBehind left_behind;
    std::atomic<bool> streams_taken{false};
};

}  // namespace farcall
