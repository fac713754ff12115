// SPDX-License-Identifier: MIT
#include "bench/run.h"

#include <utility>

#include "bench/progress.h"
#include "bench/stats.h"

namespace farcall::bench {
namespace {

// On a machine that is busy with other things the rounds take longer: then fewer of them, but never fewer
// than this.
constexpr uint32_t kLeastRounds = 2;

}  // namespace

Run::Run(std::string name, const Options& options, double ticks_per_ns)
    : report_{.name = std::move(name),
              .results = Results(ticks_per_ns != 0 ? ticks_per_ns : measure_ticks_per_ns()),
              .machine = describe_machine(),
              .cores = choose_cores(options.cores)},
      noise_(report_.cores) {}

double Run::elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Run::repeat(Extent extent, const std::function<void()>& round) {
    Progress progress(report_.name);
    for (; report_.rounds < extent.rounds && (report_.rounds < kLeastRounds || elapsed() < extent.seconds);
         report_.rounds++) {
        round();
        progress.show({report_.rounds + 1, extent.rounds, elapsed(), extent.seconds}, report_.results);
    }
}

Report Run::finish(const std::function<void()>& add_ratios) {
    report_.results.finish();
    add_ratios();
    const Disturbance seen = noise_.so_far();
    report_.disturbance = seen;
    for (std::string& complaint : complaints(seen, report_.results.series()))
        report_.warnings.push_back(std::move(complaint));
    report_.seconds = elapsed();
    return std::move(report_);
}

}  // namespace farcall::bench
