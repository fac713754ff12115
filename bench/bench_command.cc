// SPDX-License-Identifier: MIT
#include "bench/bench_command.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bench/compare.h"
#include "bench/outputs.h"
#include "bench/recipes.h"
#include "bench/record.h"
#include "bench/report.h"

namespace farcall {
namespace {

void add_pages(CLI::App& command, bench::Outputs& outputs) {
    command.add_option("--html", outputs.html, "Write charts and tables to this file")->type_name("FILE");
    command.add_option("--csv", outputs.csv, "Write a line for each series to this file")->type_name("FILE");
}

/// What a bench can be told beside what all can.
void add_own_options(CLI::App& command, const std::string& name, bench::Options& options) {
    if (name == "aem" || name == "aem-vm")
        command.add_option("--messages", options.messages, "Of each size, to each server (default 50000)")
            ->type_name("N");
    if (name == "latency" || name == "vm")
        command
            .add_option("--exit-price", options.exit_price_ns,
                        "What a VM exit costs on hardware, for the cost that the counted ones give")
            ->type_name("NS")
            ->capture_default_str()
            ->check(CLI::Range(0.0, 1e9));
}

void add_common_options(CLI::App& command, bench::Options& options) {
    command.add_flag("--quick,!--full", options.quick,
                     "Fewer rounds: some seconds instead of most of a minute (--full, the default)");
    command.add_option("--cores", options.cores, "Core of the client and core of the worker")
        ->type_name("A,B")
        ->delimiter(',');
}

void add_files(CLI::App& command, bench::Options& options) {
    command.add_option("--files", options.files, "Keep what the script writes, tables and pictures, in DIR")
        ->type_name("DIR");
}

/// A bench with the options that all have, and its own.
void add_bench(CLI::App& bench, const bench::Recipe& recipe) {
    CLI::App* command = bench.add_subcommand(recipe.name, recipe.what);
    // The callback runs after this function has returned.
    auto options = std::make_shared<bench::Options>();
    auto outputs = std::make_shared<bench::Outputs>();
    add_common_options(*command, *options);
    command->add_option("--json", outputs->json, "Write the figures to this file")->type_name("FILE");
    add_pages(*command, *outputs);
    add_own_options(*command, recipe.name, *options);
    if (recipe.by_script) add_files(*command, *options);
    command->callback([options, outputs, measure = recipe.measure] {
        const bench::Report report = measure(*options);
        bench::print_report(report);
        bench::write_outputs(report, *outputs);
    });
}

void add_list(CLI::App& bench) {
    bench.add_subcommand("list", "The benches, and which of them can run on this machine")->callback([] {
        bench::print_list();
    });
}

void add_run(CLI::App& bench) {
    CLI::App* command = bench.add_subcommand("run", "Some benches after each other, or all that need no VM");
    struct Wanted {
        std::vector<std::string> names;
        bench::Options options;
        std::string directory;
    };
    auto wanted = std::make_shared<Wanted>();
    command->add_option("names", wanted->names, "Benches of farcall bench list; none: all but the scripts")
        ->type_name("NAME");
    add_common_options(*command, wanted->options);
    command
        ->add_option("--output", wanted->directory,
                     "Write a record of each, and report.html and report.csv of all, to DIR")
        ->type_name("DIR");
    command->callback([wanted] { bench::run_recipes(wanted->names, wanted->options, wanted->directory); });
}

void add_compare(CLI::App& bench) {
    CLI::App* command =
        bench.add_subcommand("compare", "Two records of one bench: what differs, and how sure that is");
    auto paths = std::make_shared<std::vector<std::string>>();
    command->add_option("records", *paths, "Files written by --json: before and after")
        ->type_name("BEFORE AFTER")
        ->expected(2)
        ->required();
    command->callback([paths] {
        bench::print_comparison(bench::read_record(paths->at(0)), bench::read_record(paths->at(1)));
    });
}

void add_report(CLI::App& bench) {
    CLI::App* command = bench.add_subcommand("report", "Records as a page for people or as a table");
    auto paths = std::make_shared<std::vector<std::string>>();
    auto outputs = std::make_shared<bench::Outputs>();
    command->add_option("records", *paths, "Files written by --json")->type_name("RECORD")->required();
    add_pages(*command, *outputs);
    command->callback([paths, outputs] {
        if (outputs->html.empty() && outputs->csv.empty()) throw CLI::RequiredError("--html or --csv");
        std::vector<bench::FullRecord> records;
        for (const std::string& path : *paths)
            records.push_back(bench::read_full_record(path));
        bench::write_outputs(records, *outputs);
    });
}

}  // namespace

void add_bench_command(CLI::App& app) {
    // Not CLI11's own check, which would hide the name of an unknown bench.
    CLI::App* bench = app.add_subcommand("bench", "Measure this machine")->require_subcommand(0, 1);
    std::string names;
    for (const bench::Recipe& recipe : bench::recipes()) {
        add_bench(*bench, recipe);
        names += std::string(recipe.name) + ", ";
    }
    add_list(*bench);
    add_run(*bench);
    add_compare(*bench);
    add_report(*bench);
    bench->callback([bench, names] {
        if (bench->get_subcommands().empty())
            throw CLI::RequiredError("A bench (" + names + "list, run), compare or report");
    });
}

}  // namespace farcall
