// SPDX-License-Identifier: MIT
#include "bench/calls_bench.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "bench/call_times.h"
#include "bench/json_text.h"
#include "bench/scratch.h"
#include "bench/spawned.h"
#include "host-lib/error.h"
#include "vmm/guest_files.h"

namespace farcall::bench {
namespace {

constexpr Extent kQuick{8, 10};
constexpr Extent kFull{30, 60};
constexpr double kTicksPerNs = 1;
constexpr const char* kChunks = "40";
constexpr std::array kCalls{"getppid", "read", "close"};
constexpr const char* kAim = "it adds at most 50 ns";
constexpr const char* kBySignal = "each call is a signal: farcall-exec(1)";

std::string program(const char* name) {
    return vmm::executable_directory() + "/" + name;
}

/// A way to start the program, and the one that it is compared with.
struct Way {
    std::string name;
    std::vector<std::string> words;  ///< without the program's arguments
    std::string beside;              ///< empty: it is one of those
    const char* aim = "";
};

std::vector<Way> ways(const std::string& scratch) {
    const vmm::GuestFiles files = vmm::find_default_guest();
    const std::string dynamic = program("farcall-calls"), fixed = program("farcall-calls-static");
    const std::string preload = "LD_PRELOAD=" + files.preload,
                      summary = "FARCALL_SUMMARY=" + scratch + "/summary";
    return {{"dynamic", {dynamic}, ""},
            {"preload", {"/usr/bin/env", preload, dynamic}, "dynamic", kAim},
            {"preload_counting", {"/usr/bin/env", preload, summary, dynamic}, "dynamic", kAim},
            {"static", {fixed}, ""},
            {"exec", {files.launcher, fixed}, "static", kAim},
            {"exec_counting", {"/usr/bin/env", summary, files.launcher, fixed}, "static", kBySignal}};
}

std::string series(const std::string& call, const std::string& way) {
    return call + "_" + way;
}

class CallsBench {
  public:
    explicit CallsBench(Results& results) : results_(results), ways_(ways(directory_.path())) {}

    /// Each round in another order: what drifts is not always for the same.
    void round() {
        for (const Way& way : ways_) {
            const std::string file = directory_.path() + "/times";
            std::vector<std::string> words = way.words;
            words.insert(words.end(), {kChunks, file});
            if (!run_program(words)) throw Error(way.name + ": " + words[0] + " failed");
            for (auto& [call, times] : parse_call_times(read_text(file)))
                results_.add(series(call, way.name), std::move(times.ns), times.calls);
        }
        std::rotate(ways_.begin(), ways_.begin() + 1, ways_.end());
    }

    void add_ratios() {
        for (const char* call : kCalls)
            for (const Way& way : ways_)
                if (!way.beside.empty()) add_split(call, way);
    }

  private:
    void add_split(const char* call, const Way& way) {
        const Series* with = results_.find(series(call, way.name));
        const Series* without = results_.find(series(call, way.beside));
        const double more = std::max(with->p50_ns - without->p50_ns, 0.0);
        results_.add_split(
            {with->name, {{"the call", without->p50_ns}, {"what " + way.name + " adds", more}}, {}});
        results_.add_ratio(with->name, without->name, way.aim);
    }

    Results& results_;
    const ScratchDirectory directory_;
    std::vector<Way> ways_;
};

}  // namespace

std::string calls_unavailable() {
    const vmm::GuestFiles files = vmm::find_default_guest();
    if (files.preload.empty()) return "libfarcall-preload.so is not there";
    if (files.launcher.empty()) return "farcall-exec is not there";
    for (const char* name : {"farcall-calls", "farcall-calls-static"})
        if (!std::filesystem::exists(program(name)))
            return std::string(name) + " is not there: run it from a build directory";
    return "";
}

Report measure_calls(const Options& options) {
    Run run("calls", options, kTicksPerNs);
    CallsBench bench(run.report().results);
    run.repeat(options.quick ? kQuick : kFull, [&] { bench.round(); });
    return run.finish([&] { bench.add_ratios(); });
}

}  // namespace farcall::bench
