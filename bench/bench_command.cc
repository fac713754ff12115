// SPDX-License-Identifier: MIT
#include "bench/bench_command.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bench/bare_bench.h"
#include "bench/engine_bench.h"
#include "bench/report.h"

namespace farcall {
namespace {

/// A bench with the options that all have.
void add_bench(CLI::App& bench, const char* name, const char* what,
               bench::Report (*measure)(const bench::Options&)) {
    CLI::App* command = bench.add_subcommand(name, what);
    // The callback runs after this function has returned.
    auto options = std::make_shared<bench::Options>();
    auto json = std::make_shared<std::string>();
    command->add_flag("--quick", options->quick, "Fewer rounds: some seconds instead of most of a minute");
    command->add_option("--json", *json, "Write the figures to this file")->type_name("FILE");
    command->add_option("--cores", options->cores, "Core of the client and core of the worker")
        ->type_name("A,B")
        ->delimiter(',');
    command->callback([options, json, measure] {
        const bench::Report report = measure(*options);
        bench::print_report(report);
        if (!json->empty()) bench::write_json(report, *json);
    });
}

}  // namespace

void add_bench_command(CLI::App& app) {
    // Not CLI11's own check, which would hide the name of an unknown bench.
    CLI::App* bench = app.add_subcommand("bench", "Measure this machine")->require_subcommand(0, 1);
    add_bench(
        *bench, "bare",
        "Ring round trips of a guest without a kernel, beside VM exits, cache-line ping-pong and io_uring",
        bench::measure_bare);
    add_bench(
        *bench, "engine",
        "File reads, chains, many channels and clients through the engine, beside system calls and io_uring",
        bench::measure_engine);
    bench->callback([bench] {
        if (bench->get_subcommands().empty()) throw CLI::RequiredError("A bench (bare, engine)");
    });
}

}  // namespace farcall
