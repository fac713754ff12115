// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "host-lib/engine.h"

namespace farcall {

/// A counter that one thread writes and any thread reads; no locked instruction on the writer's side.
class Counter {
  public:
    void add(uint64_t n = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    uint64_t get() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> value_{0};
};

/// How long something took, by powers of two. One writer, any reader.
class LatencyHistogram {
  public:
    static constexpr unsigned kFirstBits = 6;  ///< the first bucket: below 64 ns
    static constexpr unsigned kBuckets = 29;   ///< the last: 2^33 ns (8.6 s) and more

    void record(uint64_t ns) {
        const unsigned bits = static_cast<unsigned>(std::bit_width(ns));
        buckets_[std::clamp(bits, kFirstBits, kFirstBits + kBuckets - 1) - kFirstBits].add();
        sum_ns_.add(ns);
    }
    uint64_t bucket(unsigned index) const { return buckets_[index].get(); }
    uint64_t sum_ns() const { return sum_ns_.get(); }

  private:
    std::array<Counter, kBuckets> buckets_;
    Counter sum_ns_;
};

/// Counters of one op on one worker.
struct OpStats {
    Counter completed;
    Counter errors;
    Counter bytes;  ///< moved by ops whose result says so
};

/// Counters of one worker.
struct WorkerStats {
    static constexpr unsigned kOps = FC_OP_COUNT + 1;  ///< the last: opcodes that do not exist
    /// One command in so many has its latency taken, beside all on channels with time stamps: two looks at
    /// the clock cost as much as a nop. A prime, so that chains of equal length do not hide a step.
    static constexpr uint32_t kSamplePeriod = 61;

    Counter commands;
    Counter events;
    Counter errors;
    Counter interrupts;
    Counter doorbells;  ///< times that a doorbell was found rung
    Counter sleeps;
    Counter spins;  ///< rounds of polling that found nothing to do
    Counter poisoned;
    Counter pool_jobs;
    Counter uring_jobs;
    Counter mapped_reads;  ///< done by copies from mapped windows
    std::array<OpStats, kOps> ops;
    std::array<LatencyHistogram, kOps> latencies;

    static unsigned op_index(uint8_t opcode) { return std::min<unsigned>(opcode, FC_OP_COUNT); }
    /// The latency of this command is to be taken.
    bool sample() {
        if (--countdown_ != 0) [[likely]]
            return false;
        countdown_ = kSamplePeriod;
        return true;
    }

  private:
    uint32_t countdown_ = kSamplePeriod;
};

/// Counters of one client, written by its worker.
struct ClientStats {
    uint32_t serial = 0;
    ClientPeer peer;
    unsigned worker = 0;
    Counter commands;
    Counter events;
    Counter errors;
    Counter bytes;
    Counter interrupts;
};

/// The clients of a domain that are alive, for readers on other threads.
class ClientStatsList {
  public:
    void add(std::shared_ptr<const ClientStats> stats) {
        const std::lock_guard guard(lock_);
        clients_.push_back(std::move(stats));
    }
    void remove(const ClientStats& stats) {
        const std::lock_guard guard(lock_);
        std::erase_if(clients_, [&](const auto& listed) { return listed.get() == &stats; });
    }
    std::vector<std::shared_ptr<const ClientStats>> all() const {
        const std::lock_guard guard(lock_);
        return clients_;
    }

  private:
    mutable std::mutex lock_;
    std::vector<std::shared_ptr<const ClientStats>> clients_;
};

/// Bytes that a completed command, or a shot of it, has moved between files, sockets and memory. `result`:
/// without the number of a buffer that the host picked.
inline uint64_t bytes_moved(const fc_command& command, int64_t result) {
    constexpr uint64_t kMovers = 1ull << FC_OP_READ | 1ull << FC_OP_WRITE | 1ull << FC_OP_READV |
                                 1ull << FC_OP_WRITEV | 1ull << FC_OP_COPY | 1ull << FC_OP_SENDFILE |
                                 1ull << FC_OP_SEND | 1ull << FC_OP_RECV | 1ull << FC_OP_SENDMSG |
                                 1ull << FC_OP_RECVMSG;
    static_assert(FC_OP_COUNT <= 64);
    if (result <= 0 || command.opcode >= FC_OP_COUNT || (kMovers >> command.opcode & 1) == 0) return 0;
    return static_cast<uint64_t>(result);
}

}  // namespace farcall
