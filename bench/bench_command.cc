// SPDX-License-Identifier: MIT
#include "bench/bench_command.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "bench/bare_bench.h"
#include "bench/report.h"

namespace farcall {

void add_bench_command(CLI::App& app) {
    CLI::App* bench = app.add_subcommand("bench", "Measure this machine")->require_subcommand(1);
    CLI::App* bare = bench->add_subcommand("bare",
                                           "Ring round trips of a guest without a kernel, beside VM exits, "
                                           "cache-line ping-pong and io_uring");
    // The callback runs after this function has returned.
    auto options = std::make_shared<bench::BareOptions>();
    auto json = std::make_shared<std::string>();
    bare->add_flag("--quick", options->quick, "Fewer rounds: a few seconds instead of half a minute");
    bare->add_option("--json", *json, "Write the figures to this file")->type_name("FILE");
    bare->add_option("--cores", options->cores, "Core of the client and core of the worker")
        ->type_name("A,B")
        ->delimiter(',');
    bare->callback([options, json] {
        const bench::BareReport report = bench::measure_bare(*options);
        bench::print_report(report);
        if (!json->empty()) bench::write_json(report, *json);
    });
}

}  // namespace farcall
