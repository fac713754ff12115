// SPDX-License-Identifier: MIT
#include "bench/load_bench.h"

#include <algorithm>
#include <string>

#include "bench/host_client.h"
#include "bench/host_rig.h"
#include "bench/open_loop.h"
#include "bench/uring.h"

namespace farcall::bench {
namespace {

constexpr Extent kQuick{80, 8};
constexpr Extent kFull{400, 50};
constexpr uint32_t kRates[] = {50'000, 200'000, 1'000'000, 4'000'000};
constexpr double kSecondsEach = 0.003;  // short beside a time slice of who else is here
constexpr uint32_t kMost = 12'000;      // of the quickest rate
constexpr uint32_t kDepth = HostRig::kSlots / 2;
constexpr uint32_t kWarmUp = 2000;

struct Ticks {
    static uint64_t now() { return bench_ticks(); }
};

struct Ring {
    HostChannel& channel;
    void post(uint32_t count) const {
        for (uint32_t i = 0; i < count; i++)
            channel.post(fc_command{});
        channel.announce();
    }
    uint32_t reap() const { return channel.reap(0); }
};

struct Kernel {
    Uring& ring;
    void post(uint32_t count) const { ring.submit(count, 0); }
    uint32_t reap() const { return ring.reap(); }
};

std::string name_of(const char* system, uint32_t rate) {
    return std::string(system) + "_open_loop_" + std::to_string(rate);
}

class LoadBench {
  public:
    LoadBench(const Cores& cores, Results& results)
        : cores_(cores),
          results_(results),
          rig_({.worker_core = cores.worker}),
          modes_(Uring::usable(cores.worker, results)) {
        pin_thread(cores.client);
    }

    void round() {
        Ticks clock;
        seed_++;
        for (const uint32_t rate : kRates) {
            const auto count = std::min(kMost, static_cast<uint32_t>(rate * kSecondsEach));
            const auto schedule = make_schedule(count, rate, results_.ticks_per_ns(), seed_);
            // A worker that sleeps between rounds is another bench's matter.
            rig_.channel().pipeline(kWarmUp, 1, 1, 0, [](uint32_t) { return fc_command{}; });
            Ring ring{rig_.channel()};
            results_.add(name_of("nop", rate), run_open_loop(ring, clock, schedule, kDepth));
            for (const auto mode : modes_)
                uring(mode, rate, schedule);
        }
    }

    void add_ratios() {
        for (const uint32_t rate : kRates)
            for (const auto mode : modes_)
                results_.add_ratio(name_of(Uring::name(mode), rate), name_of("nop", rate),
                                   "more than 1: ours answers sooner");
        results_.add_ratio(name_of("nop", kRates[2]), name_of("nop", kRates[0]), "near 1: no queue yet");
    }

  private:
    void uring(Uring::Mode mode, uint32_t rate, const std::vector<uint64_t>& schedule) {
        Ticks clock;
        Uring ring(mode, cores_.worker);
        ring.nops(kWarmUp, 1, 1);
        Kernel kernel{ring};
        results_.add(name_of(Uring::name(mode), rate), run_open_loop(kernel, clock, schedule, kDepth));
    }

    const Cores cores_;
    Results& results_;
    HostRig rig_;
    const std::vector<Uring::Mode> modes_;
    uint32_t seed_ = 0;
};

}  // namespace

Report measure_load(const Options& options) {
    Run run("load", options);
    Report& report = run.report();
    LoadBench bench(report.cores, report.results);
    run.repeat(options.quick ? kQuick : kFull, [&] { bench.round(); });
    return run.finish([&] { bench.add_ratios(); });
}

}  // namespace farcall::bench
