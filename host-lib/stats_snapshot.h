// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "host-lib/stats.h"

namespace farcall {

struct DomainState;

/// What the counters of an engine said at one time: not one instant, but no counter ever goes back.
struct StatsSnapshot {
    struct Worker {
        unsigned index = 0;
        uint64_t commands = 0, events = 0, errors = 0, interrupts = 0, doorbells = 0, sleeps = 0, spins = 0;
        uint64_t poisoned = 0, pool_jobs = 0, uring_jobs = 0, mapped_reads = 0;
    };
    struct Op {
        uint64_t completed = 0, errors = 0, bytes = 0;
        std::array<uint64_t, LatencyHistogram::kBuckets> latency{};
        uint64_t latency_sum_ns = 0;
        uint64_t samples() const;
    };
    struct Client {
        std::string domain;
        uint32_t serial = 0;
        unsigned worker = 0;
        ClientPeer peer;
        uint64_t commands = 0, events = 0, errors = 0, bytes = 0, interrupts = 0;
    };

    /// What is in use now; unlike the counters of the others, these fall, to nothing when the clients are
    /// gone.
    struct Domain {
        std::string name;
        uint64_t clients = 0;  ///< with those that are gone but for detached commands
        uint64_t channels = 0;
        uint64_t handles = 0;
        uint64_t region_bytes = 0;  ///< registered, arenas included
        uint64_t graph_bytes = 0;   ///< of blocks of event IDs, parked commands, edges
        uint64_t call_bytes = 0;    ///< of calls that wait for a server or travel between workers
    };

    std::vector<Worker> workers;
    std::array<Op, WorkerStats::kOps> ops;  ///< summed over the workers
    std::vector<Client> clients;            ///< those alive
    std::vector<Domain> domains;

    void add(unsigned index, const WorkerStats& stats);
    void add(const std::string& domain, const ClientStats& stats);
    void add(const DomainState& domain);

    /// As farcall-top(1) describes it.
    std::string json() const;
    /// The text format of Prometheus, version 0.0.4.
    std::string prometheus() const;
};

}  // namespace farcall
