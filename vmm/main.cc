// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "host-lib/error.h"
#include "vmm/doctor_command.h"
#include "vmm/run_command.h"
#include "vmm/serve_command.h"
#include "vmm/top_command.h"
#ifdef FARCALL_WITH_BENCH
#include "bench/bench_command.h"
#endif

namespace {

/// Failures of farcall itself, as opposed to those of a command that it runs.
constexpr int kStatusFailed = 125;
constexpr int kStatusNotFound = 127;

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Runs programs in virtual machines whose system calls are served by dedicated host cores.",
                 "farcall");
    app.set_version_flag("--version", FARCALL_VERSION);
    // Not CLI11's own check: it would hide the name of an unknown command.
    app.require_subcommand(0, 1);
    int status = 0;
    farcall::vmm::add_run_command(app, &status);
    farcall::vmm::add_doctor_command(app, &status);
    farcall::vmm::add_serve_command(app);
    farcall::vmm::add_top_command(app);
#ifdef FARCALL_WITH_BENCH
    farcall::add_bench_command(app);
#endif
    try {
        app.parse(argc, argv);
        if (app.get_subcommands().empty()) throw CLI::RequiredError("A command");
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        fmt::print(stderr, "farcall: {} (see farcall --help)\n", error.what());
        return kStatusFailed;
    } catch (const farcall::CommandNotFound& error) {
        fmt::print(stderr, "farcall: {}\n", error.what());
        return kStatusNotFound;
    } catch (const std::exception& error) {
        fmt::print(stderr, "farcall: {}\n", error.what());
        return kStatusFailed;
    }
    return status;
}
