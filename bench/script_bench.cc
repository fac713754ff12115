// SPDX-License-Identifier: MIT
#include "bench/script_bench.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "bench/sample_lines.h"
#include "bench/scratch.h"
#include "bench/spawned.h"
#include "host-lib/error.h"
#include "vmm/guest_files.h"

namespace farcall::bench {
namespace {

constexpr const char* kFigures = "samples.jsonl";

/// Empty: this executable does not lie in a build directory of a source tree.
std::string script_path(const std::string& name) {
    const auto tree = std::filesystem::path(vmm::executable_directory()).parent_path();
    const auto script = tree / "bench" / name / "run.sh";
    return access(script.c_str(), X_OK) == 0 ? script.string() : "";
}

Report measure_by_script(const std::string& name, const Options& options) {
    Run run(name, options, 1);
    std::optional<ScratchDirectory> scratch;
    const std::string directory = options.files.empty() ? scratch.emplace().path() : options.files;
    std::vector<std::string> words{script_path(name), vmm::executable_directory(), directory};
    if (options.quick) words.emplace_back("--quick");
    if (!run_program(words)) throw Error("the script of bench " + name + " failed");
    std::ifstream figures(directory + "/" + kFigures);
    if (!figures) throw errno_error("the script of bench " + name + " left no " + kFigures);
    add_sample_lines(figures, run.report());
    return run.finish([] {});
}

}  // namespace

std::string no_source_tree() {
    return script_path("weight").empty() ? "needs the source tree: run the farcall of a build directory in it"
                                         : "";
}

Report measure_weight(const Options& options) {
    return measure_by_script("weight", options);
}

Report measure_programs(const Options& options) {
    return measure_by_script("programs", options);
}

}  // namespace farcall::bench
