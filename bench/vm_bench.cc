// SPDX-License-Identifier: MIT
#include "bench/vm_bench.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "bench/scratch.h"
#include "bench/spawned.h"
#include "bench/timed_figures.h"
#include "bench/timed_lines.h"
#include "host-lib/error.h"
#include "vmm/guest_files.h"

namespace farcall::bench {
namespace {

constexpr uint32_t kQuickRounds = 10, kFullRounds = 60;
constexpr double kPatience = 550;
constexpr uint64_t kFileBytes = 4096;

/// What became of one VM's rounds.
class VmFigures {
  public:
    explicit VmFigures(Report& report) : results_(report.results), figures_(report) {}

    void add(TimedRound& round) {
        const ClockRelation clocks = figures_.relate(TimedRound::of(round.timed, kQuickestKind));
        for (const auto& [kind, samples] : round.timed)
            figures_.add(kind, samples, clocks);
        for (auto& [kind, ticks] : round.plain)
            results_.add(kind, std::move(ticks));
        for (const auto& [kind, counts] : round.counts) {
            TimedRound::Counts& all = counts_[kind];
            all.operations += counts.operations, all.doorbells += counts.doorbells;
            all.sleeps += counts.sleeps, all.exits += counts.exits;
        }
    }

    void add_splits(double exit_price_ns) {
        for (const auto& [kind, all] : counts_) {
            const auto each = [operations = static_cast<double>(all.operations)](uint64_t count) {
                return static_cast<double>(count) / operations;
            };
            // Exits that only the host's kernel sees are not counted by anybody here, but each doorbell is
            // one, and so is a halt where the client sleeps.
            const double exits = each(all.exits + all.doorbells + all.sleeps);
            figures_.add_split(kind, {"VM exits, at least", exits},
                               {{"exits to the monitor", each(all.exits)},
                                {"doorbells", each(all.doorbells)},
                                {"wake-ups of the client", each(all.sleeps)}},
                               exit_price_ns);
        }
        figures_.tell(exit_price_ns);
    }

  private:
    Results& results_;
    TimedFigures figures_;
    std::map<std::string, TimedRound::Counts> counts_;
};

/// A VM that runs farcall-demo timed, and what that wrote.
std::vector<TimedRound> run_vm(uint32_t rounds) {
    const ScratchDirectory directory;
    // Its processes are unprivileged.
    if (chmod(directory.path().c_str(), 0777) < 0)
        throw errno_error("cannot open " + directory.path() + " for the guest");
    const UniqueFd file = directory.make_file("file", kFileBytes);
    if (fchmod(file.get(), 0644) < 0) throw errno_error("cannot open a file for the guest");
    const std::string demo = vmm::executable_directory() + "/farcall-demo";
    if (access(demo.c_str(), X_OK) < 0) throw Error("there is no farcall-demo beside farcall: " + demo);
    Spawned monitor(
        {"/proc/self/exe", "run", "--root", "packed", "--timeout", "540", "--share",
         directory.path() + ":/mnt:rw", "--add", demo + ":/bin/farcall-demo", "--", "/bin/sh", "-c",
         "cp /mnt/file /tmp/file && farcall-demo timed --rounds " + std::to_string(rounds) +
             " 0:file /mnt/file /tmp/file >/tmp/figures && cp /tmp/figures /mnt/figures && echo all of it"});
    monitor.await("all of it", kPatience);
    if (const int status = monitor.finish(kPatience); status != 0)
        throw Error("the VM ended with status " + std::to_string(status));
    std::ifstream figures(directory.path() + "/figures");
    return parse_timed_lines(figures);
}

void add_ratios(Results& results) {
    results.add_ratio("timed_read_4k", "timed_nop", "");
    results.add_ratio("timed_nop_client_sleeps", "timed_nop", "an interrupt and a wake-up of the guest more");
    results.add_ratio("timed_nop_worker_sleeps", "timed_nop", "an exit and a wake-up of the host more");
    results.add_ratio("call_read_4k_mounted", "timed_read_4k",
                      "a descriptor of the guest's kernel, the same command");
    results.add_ratio("call_read_4k_mounted", "call_read_4k_local", "");
    results.add_ratio("timed_nop", "call_getppid", "");
}

}  // namespace

Report measure_vm(const Options& options) {
    Run run("vm", options);
    Report& report = run.report();
    VmFigures figures(report);
    for (TimedRound& round : run_vm(options.quick ? kQuickRounds : kFullRounds)) {
        figures.add(round);
        report.rounds++;
    }
    report.facts = {{"guest kernel", vmm::find_default_guest().name}};
    return run.finish([&] {
        figures.add_splits(options.exit_price_ns);
        add_ratios(report.results);
    });
}

}  // namespace farcall::bench
