// SPDX-License-Identifier: MIT
#include "bench/latency_bench.h"

#include <array>
#include <map>
#include <string>

#include "bench/bench_guest.h"
#include "bench/engine_rig.h"
#include "bench/scratch.h"
#include "bench/timed_figures.h"

namespace farcall::bench {
namespace {

constexpr Extent kQuick{40, 8};
constexpr Extent kFull{400, 40};
constexpr uint64_t kFileBytes = 1u << 20;
constexpr uint32_t kNops = 4000;
constexpr uint32_t k4k = 4096, k64k = 65536;

/// One kind of command, posted one at a time.
struct Kind {
    const char* name;
    Side side;
    uint32_t count;  // few enough for some milliseconds: one relation of the clocks holds for a round
    uint16_t opcode;
    uint32_t bytes;
    bool sleeping;
};
constexpr std::array<Kind, 7> kKinds{{
    {"nop", Side::kGuest, kNops, FC_OP_NOP, 0, false},
    {"nop_host_client", Side::kHost, kNops, FC_OP_NOP, 0, false},
    {"read_4k", Side::kGuest, 2000, FC_OP_READ, k4k, false},
    {"read_64k", Side::kGuest, 300, FC_OP_READ, k64k, false},
    {"fsync", Side::kGuest, 200, FC_OP_FSYNC, 0, false},
    {"nop_sleeping", Side::kGuest, 40, FC_OP_NOP, 0, true},
    {"nop_sleeping_host_client", Side::kHost, 40, FC_OP_NOP, 0, true},
}};

/// What the system has counted; differences are of one kind of command.
struct Counts {
    double operations = 0, doorbells = 0, exits = 0, sleeps = 0, jobs = 0;

    void add(const Counts& after, const Counts& before) {
        operations += after.operations - before.operations;
        doorbells += after.doorbells - before.doorbells;
        exits += after.exits - before.exits;
        sleeps += after.sleeps - before.sleeps;
        jobs += after.jobs - before.jobs;
    }
};

class LatencyBench {
  public:
    explicit LatencyBench(Report& report)
        : results_(report.results),
          figures_(report),
          file_(directory_.make_file("file", kFileBytes)),
          guest_(results_.ticks_per_ns()),
          engine_(guest_, report.cores.worker, directory_.path()),
          handle_(engine_.open("file")) {
        pin_thread(report.cores.client);
    }

    void round() {
        std::map<Side, ClockRelation> clocks;
        for (const Side side : {Side::kGuest, Side::kHost})
            clocks.emplace(side,
                           figures_.relate(guest_.run_timed(side, {.test = BENCH_TIMED, .count = kNops})));
        results_.add("nop",
                     guest_.run(guest_.engine_channel(), Side::kGuest, {.test = BENCH_PING, .count = kNops}));
        for (const Kind& kind : kKinds)
            measure(kind, clocks.at(kind.side));
    }

    void add_splits(double exit_price_ns) {
        for (const Kind& kind : kKinds) {
            const Counts& all = counts_[kind.name];
            const auto each = [&](double count) { return count / all.operations; };
            // A guest's doorbell leaves guest mode too, if only as far as the kernel.
            const double exits = kind.side == Side::kGuest ? each(all.exits + all.doorbells) : 0;
            figures_.add_split(kind.name, {"VM exits", exits},
                               {{"doorbells", each(all.doorbells)},
                                {"worker sleeps", each(all.sleeps)},
                                {"pool or io_uring jobs", each(all.jobs)}},
                               exit_price_ns);
        }
        figures_.tell(exit_price_ns);
    }

  private:
    Counts counts() const {
        const EngineStats stats = engine_.stats();
        return {.doorbells = static_cast<double>(guest_.doorbells()),
                .exits = static_cast<double>(guest_.exits()),
                .sleeps = static_cast<double>(stats.sleeps),
                .jobs = static_cast<double>(stats.pool_jobs + stats.uring_jobs)};
    }

    Request request_for(const Kind& kind) const {
        Request request{.test = static_cast<uint32_t>(kind.sleeping ? BENCH_TIMED_SLEEPING : BENCH_TIMED),
                        .count = kind.count};
        request.command.opcode = static_cast<uint8_t>(kind.opcode);
        if (kind.opcode == FC_OP_NOP) return request;
        request.command.handle = handle_;
        request.command.length = kind.bytes;
        return request;
    }

    void measure(const Kind& kind, const ClockRelation& clocks) {
        // What came before may have let the worker fall asleep.
        if (!kind.sleeping) guest_.run_timed(kind.side, {.test = BENCH_TIMED, .count = kNops / 10});
        const Counts before = counts();
        const auto samples = guest_.run_timed(kind.side, request_for(kind));
        Counts after = counts();
        after.operations = kind.count;
        // The run itself ends with an exit.
        if (kind.side == Side::kGuest) after.exits -= 1;
        counts_[kind.name].add(after, before);
        figures_.add(kind.name, samples, clocks);
    }

    Results& results_;
    TimedFigures figures_;
    const ScratchDirectory directory_;
    const UniqueFd file_;
    BenchGuest guest_;
    EngineRig engine_;
    const uint32_t handle_;
    std::map<std::string, Counts> counts_;
};

void add_ratios(Results& results) {
    results.add_ratio("timed_nop", "nop", "three clock readings of the worker more");
    results.add_ratio("timed_nop_host_client", "timed_nop", "near 1");
    results.add_ratio("timed_read_4k", "timed_nop", "");
    results.add_ratio("timed_fsync", "timed_nop", "two changes of thread more");
    results.add_ratio("timed_nop_sleeping", "timed_nop", "an exit and a wake-up more");
    results.add_ratio("timed_nop_sleeping", "timed_nop_sleeping_host_client", "an exit more");
}

}  // namespace

Report measure_latency(const Options& options) {
    Run run("latency", options);
    Report& report = run.report();
    LatencyBench bench(report);
    run.repeat(options.quick ? kQuick : kFull, [&] { bench.round(); });
    return run.finish([&] {
        bench.add_splits(options.exit_price_ns);
        add_ratios(report.results);
    });
}

}  // namespace farcall::bench
