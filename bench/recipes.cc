// SPDX-License-Identifier: MIT
#include "bench/recipes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <filesystem>

#include "bench/aem_bench.h"
#include "bench/bare_bench.h"
#include "bench/boot_bench.h"
#include "bench/calls_bench.h"
#include "bench/engine_bench.h"
#include "bench/latency_bench.h"
#include "bench/load_bench.h"
#include "bench/outputs.h"
#include "bench/script_bench.h"
#include "bench/spawned.h"
#include "bench/vm_bench.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

std::string no_two_cores() {
    try {
        choose_cores({});
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

std::string no_kvm() {
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        return "there is no /dev/kvm here that this user may open: farcall doctor says more";
    return no_two_cores();
}

constexpr Recipe kRecipes[] = {
    {"bare",
     "Ring round trips of a guest without a kernel, beside VM exits, cache-line ping-pong and io_uring",
     measure_bare, no_kvm},
    {"latency", "Where the time of a command goes: posted, picked up, started, completed, seen",
     measure_latency, no_kvm},
    {"load", "Latency of nops that come at given rates (open loop), beside io_uring", measure_load,
     no_two_cores},
    {"engine",
     "File reads, chains, many channels and clients through the engine, beside system calls and io_uring",
     measure_engine, no_two_cores},
    {"calls",
     "What a system call that stays where it is costs an unmodified program more, by preload or exec",
     measure_calls, calls_unavailable},
    {"aem", "Ping-pong with a server that is called by events, beside servers with select, poll and epoll",
     measure_aem, no_two_cores},
    {"vm", "In a VM with a kernel: where the time of a command goes, beside the guest's own system calls",
     measure_vm, boot_unavailable},
    {"boot", "VMs: time until a command speaks and after it, memory of the monitor, beside QEMU's microvm",
     measure_boot, boot_unavailable},
    {"aem-vm", "The ping-pong with its servers in a VM: handlers beside select, poll and epoll there",
     measure_aem_vm, boot_unavailable},
    {"weight", "In VMs: event-priority weighting, shares and wake-up latency beside CPU hogs, by policy",
     measure_weight, no_source_tree, true},
    {"programs",
     "In VMs: files, sqlite, redis, nginx and connections of unmodified programs, beside the host, virtiofs, "
     "9p and VM exits",
     measure_programs, no_source_tree, true},
};

/// What a bench is started with, or why it can't run here.
struct Step {
    std::vector<std::string> words;
    std::string reason;
    std::string record;  ///< what it leaves for the report; empty: nothing
};

/// Each in a process of its own: a bench pins its threads and starts others.
Step recipe_step(const Recipe& recipe, const Options& options, const std::string& target) {
    Step step{{"/proc/self/exe", "bench", recipe.name}, recipe.unavailable(), ""};
    if (options.quick) step.words.emplace_back("--quick");
    if (!options.cores.empty())
        step.words.insert(step.words.end(), {"--cores", fmt::format("{}", fmt::join(options.cores, ","))});
    if (target.empty()) return step;
    step.record = target + ".json";
    step.words.insert(step.words.end(), {"--json", step.record});
    if (recipe.by_script) step.words.insert(step.words.end(), {"--files", target});
    return step;
}

Step step_of(const std::string& name, const Options& options, const std::string& directory) {
    const std::string target = directory.empty() ? "" : directory + "/" + name;
    for (const Recipe& recipe : kRecipes)
        if (name == recipe.name) return recipe_step(recipe, options, target);
    throw Error(fmt::format("there is no bench '{}': farcall bench list names them", name));
}

void make_report(const std::vector<std::string>& records, const std::string& directory) {
    std::vector<FullRecord> all;
    all.reserve(records.size());
    for (const std::string& path : records)
        all.push_back(read_full_record(path));
    const Outputs outputs{.json = "", .html = directory + "/report.html", .csv = directory + "/report.csv"};
    write_outputs(all, outputs);
    fmt::print("\ncharts of all of them: {}; for spreadsheets: {}\n", outputs.html, outputs.csv);
}

void print_line(const char* name, const std::string& reason, const char* what) {
    fmt::print("{:<10}{:<5}{}\n", name, reason.empty() ? "yes" : "no", what);
    if (!reason.empty()) fmt::print("{:<15}not here: {}\n", "", reason);
}

}  // namespace

std::span<const Recipe> recipes() {
    return kRecipes;
}

void print_list() {
    fmt::print("{:<10}{:<5}{}\n", "bench", "here", "what");
    for (const Recipe& recipe : kRecipes)
        print_line(recipe.name, recipe.unavailable(), recipe.what);
}

void run_recipes(const std::vector<std::string>& names, const Options& options,
                 const std::string& directory) {
    std::vector<std::string> wanted = names;
    if (wanted.empty())
        for (const Recipe& recipe : kRecipes)
            if (!recipe.by_script) wanted.emplace_back(recipe.name);
    std::vector<Step> steps;
    steps.reserve(wanted.size());
    for (const std::string& name : wanted)
        steps.push_back(step_of(name, options, directory));
    if (!directory.empty()) std::filesystem::create_directories(directory);
    std::vector<std::string> failed, records;
    for (size_t i = 0; i < steps.size(); i++) {
        fmt::print("{}== {} ==\n", i == 0 ? "" : "\n", wanted[i]);
        if (!steps[i].reason.empty()) fmt::print("SKIPPED {}: {}\n", wanted[i], steps[i].reason);
        std::fflush(stdout);
        if (!steps[i].reason.empty()) continue;
        if (!run_program(steps[i].words))
            failed.push_back(wanted[i]);
        else if (!steps[i].record.empty())
            records.push_back(steps[i].record);
    }
    if (!records.empty()) make_report(records, directory);
    if (!failed.empty()) throw Error(fmt::format("these benches failed: {}", fmt::join(failed, ", ")));
}

}  // namespace farcall::bench
