// SPDX-License-Identifier: MIT
#include "bench/engine_bench.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "bench/file_bench.h"
#include "bench/host_client.h"
#include "bench/pingpong.h"
#include "bench/sampling.h"
#include "bench/stats.h"
#include "bench/timer_bench.h"
#include "bench/uring.h"

namespace farcall::bench {
namespace {

constexpr Extent kQuick{8, 8};
constexpr Extent kFull{60, 45};
constexpr uint32_t kNops = 4000;
constexpr uint32_t kIdle[] = {1, 16, 256, 4096};
constexpr uint32_t kClients[] = {1, 2, 4};
constexpr uint32_t kDepth = 32;
constexpr uint32_t kBatches[] = {1, 8, 64};
constexpr uint32_t kRingEvery = 50;  // nops between two doorbells that nothing stands behind

fc_command nop(uint32_t index) {
    fc_command command{};
    command.id = index;
    return command;
}

std::string with(const std::string& name, uint32_t number) {
    return name + "_" + std::to_string(number);
}

/// What the engine costs beside a command's own work: many channels, several clients.
class ChannelBench {
  public:
    ChannelBench(int worker_core, Results& results) : worker_core_(worker_core), results_(results) {
        for (size_t i = 0; i < rigs_.size(); i++)
            rigs_[i] = std::make_unique<HostRig>(
                HostRig::Options{.worker_core = worker_core, .idle_channels = kIdle[i]});
        crowd_ =
            std::make_unique<HostRig>(HostRig::Options{.worker_core = worker_core, .clients = kClients[2]});
        const std::string reason = Uring::unavailable(Uring::Mode::kEnter, worker_core);
        if (reason.empty())
            uring_ = std::make_unique<Uring>(Uring::Mode::kEnter, worker_core);
        else
            results_.skip("io_uring_enter", reason);
    }

    void round() {
        results_.add("cacheline_pingpong", pingpong(worker_core_, false, kNops));
        for (size_t i = 0; i < rigs_.size(); i++) {
            HostChannel& channel = rigs_[i]->channel();
            channel.pipeline(kNops / 4, 1, 1, 0, nop);
            results_.add(with("nop_idle_channels", kIdle[i]), channel.pipeline(kNops, 1, 1, 0, nop));
            rung(channel, with("nop_rung_idle_channels", kIdle[i]));
        }
        for (const uint32_t size : kBatches)
            batch(size);
        for (const uint32_t clients : kClients)
            crowd(clients);
        beside_flood();
    }

    void add_ratios() {
        results_.add_ratio(with("nop_idle_channels", kIdle[0]), "cacheline_pingpong", "<= 1.15");
        for (const uint32_t idle : {kIdle[1], kIdle[2], kIdle[3]}) {
            results_.add_ratio(with("nop_idle_channels", idle), with("nop_idle_channels", kIdle[0]), "< 1.1");
            results_.add_ratio(with("nop_rung_idle_channels", idle), with("nop_rung_idle_channels", kIdle[0]),
                               "< 1.1");
        }
        for (const uint32_t clients : {kClients[1], kClients[2]})
            results_.add_ratio(with("nop_clients", clients), with("nop_clients", kClients[0]), "near 1");
        for (const uint32_t size : kBatches)
            results_.add_ratio(with("io_uring_enter_batch", size), with("nop_batch", size), "> 1");
        results_.add_ratio("nop_beside_flood", with("nop_idle_channels", kIdle[0]),
                           "a burst of 16 nops more");
    }

    /// Completed commands of the slowest client to those of the fastest, worst round.
    double fairness() const { return fairness_; }

  private:
    /// So many at once, and the next ones when all of them are back.
    void batch(uint32_t size) {
        HostChannel& channel = rigs_[0]->channel();
        results_.add(with("nop_batch", size),
                     sample_each(kNops / size, 1,
                                 [&](uint32_t) {
                                     for (uint32_t i = 0; i < size; i++)
                                         channel.post(nop(i));
                                     channel.announce();
                                     drain(channel, size);
                                 }),
                     size, size);
        if (uring_ != nullptr)
            results_.add(with("io_uring_enter_batch", size), uring_->nops(kNops / size * size, size, size),
                         size, size);
    }

    /// Somebody rings the worker's doorbell all the time, as clients of a VM's other channels do.
    void rung(HostChannel& channel, const std::string& name) {
        std::vector<uint32_t> samples;
        for (uint32_t i = 0; i < kNops; i++) {
            if (i % kRingEvery == 0) channel.ring();
            const uint64_t before = bench_ticks();
            channel.post(nop(i));
            channel.announce();
            channel.collect(0);
            samples.push_back(bench_sample(bench_ticks() - before));
        }
        results_.add(name, std::move(samples));
    }

    /// One thread keeps the channels of several clients full.
    void crowd(uint32_t clients) {
        constexpr uint32_t kChunk = 4096, kCount = 16 * kChunk;
        std::array<uint32_t, kClients[2]> done{}, posted{};
        std::vector<uint32_t> samples;
        uint32_t all = 0, next = kChunk;
        uint64_t before = bench_ticks();
        while (all < kCount) {
            for (uint32_t i = 0; i < clients; i++) {
                HostChannel& channel = crowd_->channel(i);
                const uint32_t room = kDepth - (posted[i] - done[i]);
                for (uint32_t j = 0; j < room; j++)
                    channel.post(nop(posted[i]++));
                if (room != 0) channel.announce();
                const uint32_t some = channel.reap(0);
                done[i] += some;
                all += some;
            }
            if (all < next) continue;
            const uint64_t now = bench_ticks();
            samples.push_back(bench_sample((now - before) * kChunk / (all - next + kChunk)));
            before = now;
            next = all + kChunk;
        }
        const auto [least, most] = std::minmax_element(done.begin(), done.begin() + clients);
        fairness_ = std::min(fairness_, static_cast<double>(*least) / *most);
        for (uint32_t i = 0; i < clients; i++)
            drain(crowd_->channel(i), posted[i] - done[i]);
        results_.add(with("nop_clients", clients), std::move(samples), kChunk, kDepth);
    }

    static void drain(HostChannel& channel, uint32_t count) {
        while (count > 0)
            count -= channel.collect(0);
    }

    /// A client with one command in flight beside one that keeps its ring full.
    void beside_flood() {
        HostChannel &one = crowd_->channel(0), &flood = crowd_->channel(1);
        std::vector<uint32_t> samples;
        uint32_t in_flight = 0;
        for (uint32_t i = 0; i < kNops; i++) {
            const uint64_t before = bench_ticks();
            one.post(nop(i));
            one.announce();
            while (one.reap(0) == 0) {
                in_flight -= flood.reap(0);
                const bool room = in_flight < HostRig::kSlots;
                for (; in_flight < HostRig::kSlots; in_flight++)
                    flood.post(nop(i));
                if (room) flood.announce();
            }
            samples.push_back(bench_sample(bench_ticks() - before));
        }
        drain(flood, in_flight);
        results_.add("nop_beside_flood", std::move(samples));
    }

    int worker_core_;
    Results& results_;
    std::array<std::unique_ptr<HostRig>, std::size(kIdle)> rigs_;
    std::unique_ptr<HostRig> crowd_;
    std::unique_ptr<Uring> uring_;
    double fairness_ = 1;
};

}  // namespace

Report measure_engine(const Options& options) {
    Run run("engine", options);
    Report& report = run.report();
    FileBench files(report.cores.worker, report.results);
    ChannelBench channels(report.cores.worker, report.results);
    TimerBench timers(report.results);
    pin_thread(report.cores.client);
    run.repeat(options.quick ? kQuick : kFull, [&] {
        files.round();
        channels.round();
        timers.round();
    });
    report.facts = {{"file_system", files.file_system()},
                    {"io", files.engine().io() == IoBackend::kUring ? "io_uring" : "pool"}};
    return run.finish([&] {
        files.add_ratios();
        channels.add_ratios();
        timers.add_ratios();
        report.results.add_ratio_value("slowest client : fastest client, commands", channels.fairness(),
                                       "near 1");
    });
}

}  // namespace farcall::bench
