// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "host-lib/stats.h"

namespace farcall {

/// What the counters of an engine said at one time: not one instant, but no counter ever goes back.
struct StatsSnapshot {
    struct Worker {
        unsigned index = 0;
        uint64_t commands = 0, events = 0, errors = 0, interrupts = 0, doorbells = 0, sleeps = 0, spins = 0;
        uint64_t poisoned = 0, pool_jobs = 0, uring_jobs = 0;
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

    std::vector<Worker> workers;
    std::array<Op, WorkerStats::kOps> ops;  ///< summed over the workers
    std::vector<Client> clients;            ///< those alive

    void add(unsigned index, const WorkerStats& stats);
    void add(const std::string& domain, const ClientStats& stats);

    /// As farcall-top(1) describes it.
    std::string json() const;
    /// The text format of Prometheus, version 0.0.4.
    std::string prometheus() const;
};

}  // namespace farcall
