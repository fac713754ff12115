// SPDX-License-Identifier: MIT
#include "bench/bare_bench.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <string>

#include "bench/bare_ring.h"
#include "bench/bench_guest.h"
#include "bench/engine_rig.h"
#include "bench/pingpong.h"
#include "bench/sampling.h"
#include "bench/stats.h"
#include "bench/uring.h"

namespace farcall::bench {
namespace {

constexpr Extent kQuick{10, 9};
constexpr Extent kFull{60, 45};
constexpr uint32_t kDepths[] = {1, 8, 32, 128};
constexpr uint32_t kRoundTrips = 20000;
constexpr uint32_t kWarmUp = 2000;
constexpr uint32_t kChunks = 100;
constexpr uint32_t kExits = 200;
constexpr uint32_t kSleeps = 30;

std::string in_flight(const std::string& name, uint32_t depth) {
    return name + "_in_flight_" + std::to_string(depth);
}

/// Long enough to make the clock's cost and the pipeline's ends vanish, short enough to fit between two
/// preemptions.
uint32_t chunk_of(uint32_t depth) {
    return std::max(256u, depth * 32);
}

/// The rounds' state: what all measurements share.
class BareBench {
  public:
    BareBench(const Cores& cores, Results& results)
        : cores_(cores),
          results_(results),
          guest_(results.ticks_per_ns()),
          engine_(guest_, cores.worker, ""),
          modes_(Uring::usable(cores.worker, results)) {
        pin_thread(cores.client);
        results_.skip(
            "vmexit_hypercall",
            "KVM refuses hypercalls of user mode, where the bare guest runs; vmexit_cpuid is of that kind");
    }

    void round() {
        floor();
        bare_ring();
        engine();
        exits();
        for (const auto mode : modes_)
            uring(mode);
    }

    uint64_t doorbells() const { return guest_.doorbells(); }
    uint64_t worker_sleeps() const { return engine_.stats().sleeps; }

  private:
    void floor() {
        results_.add("measuring_loop", sample_each(kRoundTrips, 1, [](uint32_t) {}));
        results_.add("cacheline_pingpong", pingpong(cores_.worker, false, kRoundTrips));
        results_.add("cacheline_pingpong_same_line", pingpong(cores_.worker, true, kRoundTrips));
        const uint32_t chunk = chunk_of(1);
        results_.add("cacheline_pingpong_in_flight_1", pingpong(cores_.worker, false, chunk * kChunks, chunk),
                     chunk);
    }

    /// Also wakes the worker, so that what follows finds it polling.
    void warm_up(GuestChannel& channel, Side side) {
        guest_.run(channel, side, {.test = BENCH_PING, .count = kWarmUp});
    }

    void ping(const std::string& name, GuestChannel& channel, Side side) {
        warm_up(channel, side);
        results_.add(name, guest_.run(channel, side, {.test = BENCH_PING, .count = kRoundTrips}));
    }

    void pipeline(const std::string& name, GuestChannel& channel) {
        for (const uint32_t depth : kDepths) {
            const uint32_t chunk = chunk_of(depth);
            const Request request{
                .test = BENCH_PIPELINE, .count = chunk * kChunks, .depth = depth, .chunk = chunk};
            results_.add(in_flight(name, depth), guest_.run(channel, Side::kGuest, request), chunk, depth);
        }
    }

    void bare_ring() {
        BareRing worker(guest_.bare_channel(), cores_.worker);
        ping("ring_nop_bare", guest_.bare_channel(), Side::kGuest);
        pipeline("ring_nop_bare", guest_.bare_channel());
    }

    void engine() {
        GuestChannel& channel = guest_.engine_channel();
        ping("ring_nop", channel, Side::kGuest);
        pipeline("ring_nop", channel);
        ping("ring_nop_host_client", channel, Side::kHost);
        results_.add("ring_nop_sleeping",
                     guest_.run(channel, Side::kGuest, {.test = BENCH_SLEEPING, .count = kSleeps}));
    }

    void exits() {
        GuestChannel& channel = guest_.engine_channel();
        const Request by_port{.test = BENCH_EXIT_PIO, .count = kExits};
        const Request by_store{.test = BENCH_EXIT_MMIO, .count = kExits};
        results_.add("vmexit_userspace", guest_.run(channel, Side::kGuest, by_port));
        results_.add("vmexit_mmio", guest_.run(channel, Side::kGuest, by_store));
        results_.add("vmexit_cpuid",
                     guest_.run(channel, Side::kGuest, {.test = BENCH_EXIT_CPUID, .count = kExits}));
        // Not the worker's doorbell: nobody shall answer.
        const int doorbell = guest_.doorbell();
        guest_.set_doorbell(unheard_.get());
        results_.add("vmexit_ioeventfd",
                     guest_.run(channel, Side::kGuest, {.test = BENCH_EXIT_DOORBELL, .count = kExits}));
        guest_.set_doorbell(doorbell);
    }

    void uring(Uring::Mode mode) {
        Uring ring(mode, cores_.worker);
        const std::string name = Uring::name(mode);
        ring.nops(kWarmUp, 1, 1);
        results_.add(name + "_nop", ring.nops(kRoundTrips, 1, 1));
        for (const uint32_t depth : kDepths) {
            const uint32_t chunk = chunk_of(depth);
            results_.add(in_flight(name, depth), ring.nops(chunk * kChunks, depth, chunk), chunk, depth);
        }
    }

    const Cores cores_;
    Results& results_;
    BenchGuest guest_;
    EngineRig engine_;
    const UniqueFd unheard_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    const std::vector<Uring::Mode> modes_;
};

void add_ratios(Results& results) {
    results.add_ratio("ring_nop_bare", "cacheline_pingpong", "<= 1.1");
    results.add_ratio("ring_nop", "cacheline_pingpong", "<= 1.3, aim 1.15");
    results.add_ratio("ring_nop_in_flight_1", "cacheline_pingpong_in_flight_1",
                      "the same without the clock's cost");
    results.add_ratio("ring_nop", "ring_nop_bare", "near 1");
    results.add_ratio("ring_nop_host_client", "ring_nop", "near 1");
    results.add_ratio("vmexit_userspace", "ring_nop", ">= 30 on software KVM");
    results.add_ratio("vmexit_ioeventfd", "vmexit_userspace", "< 1: the monitor is not entered");
    results.add_ratio("ring_nop_sleeping", "vmexit_userspace", "< 1.5");
    // ns per operation, so the other system comes first: more than 1 means that ours does more operations per
    // second.
    for (const uint32_t depth : kDepths) {
        results.add_ratio(in_flight("ring_nop", depth), in_flight("ring_nop_bare", depth), "near 1");
        results.add_ratio(in_flight("io_uring_enter", depth), in_flight("ring_nop", depth),
                          depth >= 32 ? "> 1, 1.5 at 128" : "");
        results.add_ratio(in_flight("io_uring_sqpoll", depth), in_flight("ring_nop", depth),
                          depth >= 32 ? "> 1, 3.8 at 128" : "");
    }
}

}  // namespace

Report measure_bare(const Options& options) {
    Run run("bare", options);
    Report& report = run.report();
    BareBench bench(report.cores, report.results);
    run.repeat(options.quick ? kQuick : kFull, [&] { bench.round(); });
    report.counters = {{"doorbells", bench.doorbells()}, {"worker_sleeps", bench.worker_sleeps()}};
    return run.finish([&] { add_ratios(report.results); });
}

}  // namespace farcall::bench
