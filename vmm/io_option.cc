// SPDX-License-Identifier: MIT
#include "vmm/io_option.h"

#include <CLI/CLI.hpp>
#include <map>

namespace farcall::vmm {

void add_io_option(CLI::App& app, IoBackend& io) {
    const std::map<std::string, IoBackend> names = {
        {"auto", IoBackend::kAuto}, {"uring", IoBackend::kUring}, {"pool", IoBackend::kPool}};
    app.add_option("--io", io,
                   "what does file I/O that would block: auto, uring (io_uring) or pool (threads)")
        ->transform(CLI::CheckedTransformer(names).description(""))
        ->type_name("HOW")
        ->default_str("auto");
}

std::string describe_io(const Engine& engine) {
    if (engine.io() == IoBackend::kUring) return "file I/O by io_uring";
    const std::string& why = engine.why_no_uring();
    return "file I/O by threads" + (why.empty() ? std::string() : " (" + why + ")");
}

}  // namespace farcall::vmm
