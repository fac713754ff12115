// SPDX-License-Identifier: MIT
#include "vmm/io_option.h"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

namespace farcall::vmm {

namespace {

/// Files that are read often are locked into memory. Whoever may not raise the limit makes do with what it
/// is.
void allow_locking(uint64_t bytes) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur >= bytes) return;
    const rlimit wanted{bytes, std::max<rlim_t>(limit.rlim_max, bytes)};
    if (::setrlimit(RLIMIT_MEMLOCK, &wanted) == 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_MEMLOCK, &limit);
}

}  // namespace

void IoOptions::apply(EngineConfig& config) const {
    config.io = backend;
    config.mapped_bytes = map_reads;
    allow_locking(map_reads);
}

void add_io_options(CLI::App& app, IoOptions& options) {
    const std::map<std::string, IoBackend> names = {
        {"auto", IoBackend::kAuto}, {"uring", IoBackend::kUring}, {"pool", IoBackend::kPool}};
    app.add_option("--io", options.backend,
                   "what does file I/O that would block: auto, uring (io_uring) or pool (threads)")
        ->transform(CLI::CheckedTransformer(names).description(""))
        ->type_name("HOW")
        ->default_str("auto");
    app.add_option("--map-reads", options.map_reads,
                   "map and lock so much of the files that are read most (64M); 0: nothing")
        ->transform(CLI::AsSizeValue(false))
        ->type_name("SIZE")
        ->default_str("64M");
}

std::string describe_io(const Engine& engine) {
    if (engine.io() == IoBackend::kUring) return "file I/O by io_uring";
    const std::string& why = engine.why_no_uring();
    return "file I/O by threads" + (why.empty() ? std::string() : " (" + why + ")");
}

}  // namespace farcall::vmm
