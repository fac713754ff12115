// SPDX-License-Identifier: MIT
#include "bench/run.h"

#include <utility>

#include "bench/stats.h"

namespace farcall::bench {
namespace {

// On a machine that is busy with other things the rounds take longer: then fewer of them, but never fewer
// than this.
constexpr uint32_t kLeastRounds = 2;

}  // namespace

Run::Run(const Options& options)
    : report_{.results = Results(measure_ticks_per_ns()),
              .machine = describe_machine(),
              .cores = choose_cores(options.cores)} {}

double Run::elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Run::repeat(Extent extent, const std::function<void()>& round) {
    for (; report_.rounds < extent.rounds && (report_.rounds < kLeastRounds || elapsed() < extent.seconds);
         report_.rounds++)
        round();
}

Report Run::finish(const std::function<void()>& add_ratios) {
    report_.results.finish();
    add_ratios();
    report_.seconds = elapsed();
    return std::move(report_);
}

}  // namespace farcall::bench
