// SPDX-License-Identifier: MIT
#include "vmm/run_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "host-lib/error.h"
#include "vmm/descriptor_limit.h"
#include "vmm/io_option.h"
#include "vmm/layout.h"
#include "vmm/net_option.h"
#include "vmm/probe.h"
#include "vmm/run_options.h"
#include "vmm/session.h"
#include "vmm/share_option.h"

namespace farcall::vmm {

namespace {

// Exit statuses of farcall's own; all others are the command's.
constexpr int kStatusTimeout = 124;
constexpr int kStatusFailed = 125;
constexpr int kSignalBase = 128;

/// Where waking a sleeper costs hundreds of microseconds.
constexpr std::chrono::microseconds kRigSpin{200};

constexpr double kMaxTimeout = 1e9;  // seconds

GuestCommand make_guest_command(const RunOptions& options, SharePlan&& plan) {
    GuestCommand command;
    command.tree = std::move(plan.tree);
    if (command.tree.root && !options.additions.empty())
        throw Error("--add: the root file system is one of its own; put the files there");
    command.arguments = options.command;
    command.environment = options.environment;
    command.directory = options.directory;
    parse_user(options.user, command.user, command.group);
    command.additions = options.additions;
    command.base = options.initrd_base;
    command.keep_log = !options.kernel_log.empty();
    for (const std::string& variable : options.environment) {
        if (variable.find('=') == std::string::npos || variable.starts_with('=')) {
            throw Error(fmt::format("--env: '{}' is not NAME=VALUE", variable));
        }
    }
    const auto size = terminal_size(STDIN_FILENO);
    if (options.tty && !size) throw Error("--tty: stdin is not a terminal");
    if (!options.no_tty && size && (options.tty || ::isatty(STDOUT_FILENO) != 0)) {
        command.terminal = size;
        const char* type = std::getenv("TERM");
        if (type != nullptr)
            command.environment.insert(command.environment.begin(), fmt::format("TERM={}", type));
    }
    return command;
}

SessionConfig make_session_config(const RunOptions& options) {
    const CorePlan cores = plan_cores(options.worker_cores, options.workers);
    SessionConfig config;
    config.memory_bytes = parse_memory_size(options.memory);
    config.backing = options.memory_backing == "memfd" ? MemoryBacking::kMemfd : MemoryBacking::kAnonymous;
    config.machine.cpus = options.cpus;
    config.machine.vcpu_cores = cores.vcpus;
    config.machine.console_fd = options.console ? STDERR_FILENO : -1;
    config.engine.workers = options.workers;
    config.engine.worker_cpus = cores.workers;
    if (in_rig()) config.engine.spin = kRigSpin;
    options.io.apply(config.engine);
    SharePlan plan = plan_shares(options.shares, options.root, !options.initrd_base.empty());
    config.shares = plan.shares;
    config.image = std::move(plan.image);
    config.net = parse_net(options.net);
    config.files = choose_guest(options);
    config.command = make_guest_command(options, std::move(plan));
    // Sockets of programs that were not made for farcall: the library has them made by the module.
    config.command.network = !config.net.empty();
    config.command.trace = options.trace;
    config.command.summary = options.summary;
    config.command.preload = !config.net.empty() || options.trace || options.summary;
    if (config.command.preload && (config.files.preload.empty() || config.files.launcher.empty()))
        throw Error(
            "--net, --trace and --summary need libfarcall-preload.so and farcall-exec, which are not there");
    config.sandbox = !options.no_sandbox;
    config.command_line = kernel_command_line(options);
    config.kernel_log = options.kernel_log;
    config.control = options.control;
    config.limits.commands_per_s = options.client_rate;
    config.timeout = std::chrono::nanoseconds(static_cast<int64_t>(options.timeout * 1e9));
    return config;
}

void print_stats(const Session& session, std::chrono::steady_clock::time_point begun) {
    const EngineStats stats = session.engine().stats();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    fmt::print(
        stderr,
        "farcall: {:.2f} s, {} VM exits to farcall, {} commands, {} events ({} errors), {} interrupts, "
        "{} worker sleeps, {} mapped reads, {} io_uring jobs, {} pool jobs, {} poisoned channels; {}\n",
        took.count(), session.exits(), stats.commands, stats.events, stats.errors, stats.interrupts,
        stats.sleeps, stats.mapped_reads, stats.uring_jobs, stats.pool_jobs, stats.poisoned,
        describe_io(session.engine()));
}

// What the guest printed on its console is worth reading when it did not end as it should.
void print_console(const Session& session, bool shown_already) {
    const std::string text = session.console().text();
    if (shown_already || text.empty()) return;
    fmt::print(stderr, "farcall: the guest's console:\n{}{}", text, text.ends_with('\n') ? "" : "\n");
}

int report(const Stop& stop, const Session& session, const RunOptions& options) {
    const auto failed = [&](const std::string& sentence, int status) {
        print_console(session, options.console);
        fmt::print(stderr, "farcall: {}\n", sentence);
        return status;
    };
    switch (stop.reason) {
        case StopReason::kGuestExit:
            if (session.console().text().find("Kernel panic") != std::string::npos)
                print_console(session, options.console);
            return stop.status;
        case StopReason::kPowerOff:
            return failed("the guest turned itself off before the command had ended", kStatusFailed);
        case StopReason::kReset:
            return failed("the guest rebooted before the command had ended", kStatusFailed);
        case StopReason::kTimeout:
            return failed(fmt::format("the guest was ended after {} s (--timeout)", options.timeout),
                          kStatusTimeout);
        case StopReason::kSignal:
            return kSignalBase + stop.status;
        default:
            return failed(stop.text, kStatusFailed);
    }
}

int run(const RunOptions& options) {
    const auto begun = std::chrono::steady_clock::now();
    Session::block_signals();
    raise_descriptor_limit();
    const SessionConfig config = make_session_config(options);
    PreparedGuest guest = prepare_guest(config);
    const Kvm kvm;
    kvm.require_all();
    if (!options.no_probe) require_guest_kernels();
    Session session(kvm, config, std::move(guest));
    const Stop stop = session.run();
    if (options.stats) print_stats(session, begun);
    return report(stop, session, options);
}

void add_guest_options(CLI::App& app, RunOptions& options) {
    app.add_option("--guest", options.guest, "guest kernel series: 6.12 or 6.1 (default: what is there)");
    app.add_option("--kernel", options.kernel, "guest kernel: a bzImage or an uncompressed vmlinux");
    app.add_option("--module", options.module, "farcall.ko built for that kernel");
    app.add_option("--initrd-base", options.initrd_base, "archive that the initial RAM disk starts from");
    app.add_option("--append", options.append, "more words for the kernel's command line");
    app.add_option("--memory", options.memory, "guest memory")->capture_default_str();
    app.add_option("--memory-backing", options.memory_backing, "anon or memfd")
        ->check(CLI::IsMember({"anon", "memfd"}))
        ->capture_default_str();
    app.add_option("--cpus", options.cpus, "virtual CPUs")
        ->check(CLI::Range(1u, layout::kMaxCpus))
        ->capture_default_str();
    app.add_flag("--console", options.console, "the guest's kernel messages to stderr, as they come");
    app.add_option("--kernel-log", options.kernel_log,
                   "write the guest's kernel log to this file at the end");
}

void add_command_options(CLI::App& app, RunOptions& options) {
    app.add_option("--share", options.shares,
                   "DIR[:GUESTPATH][:ro|:rw]: a directory for the guest, mounted there; repeatable")
        ->type_size(1)
        ->allow_extra_args(false);
    app.add_option("--root", options.root,
                   "root file system: host (this machine's /usr), packed (what CMD needs), a directory, or a "
                   "disk image")
        ->type_name("KIND|PATH[:ro|:rw]")
        ->capture_default_str();
    add_net_options(app, options.net);
    app.add_option("--add", options.additions, "HOSTPATH[:GUESTPATH]: more files for the guest; repeatable")
        ->type_size(1)
        ->allow_extra_args(false);
    app.add_option("--env", options.environment, "NAME=VALUE: environment of CMD; repeatable")
        ->type_size(1)
        ->allow_extra_args(false);
    app.add_option("--cwd", options.directory, "working directory of CMD in the guest")
        ->capture_default_str();
    app.add_option("--user", options.user, "UID:GID of CMD in the guest")->capture_default_str();
    auto* tty =
        app.add_flag("--tty", options.tty, "CMD on a terminal (default: if stdin and stdout are one)");
    app.add_flag("--no-tty", options.no_tty, "CMD on pipes")->excludes(tty);
    app.add_option("--timeout", options.timeout, "end the guest after this many seconds")
        ->check(CLI::Range(0.0, kMaxTimeout));
    app.add_option("CMD", options.command, "program and arguments (after --)")->required();
}

void add_engine_options(CLI::App& app, RunOptions& options) {
    app.add_option("--workers", options.workers, "host threads that serve the rings")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    app.add_option("--worker-cores", options.worker_cores,
                   "their cores (2,4-5), auto (the last ones) or none")
        ->capture_default_str();
    add_io_options(app, options.io);
    app.add_flag("--trace", options.trace, "print each call that the host served to stderr, as strace does");
    app.add_flag("--summary", options.summary, "a table of served and other calls to stderr as programs end");
    app.add_flag("--stats", options.stats, "counters to stderr at the end");
    app.add_option("--control", options.control, "socket for farcall top and other readers of statistics")
        ->type_name("PATH");
    app.add_option("--client-rate", options.client_rate, "commands per second that one client may have taken")
        ->type_name("N");
    app.add_flag("--no-probe", options.no_probe,
                 "do not check first that this machine's KVM can run a guest kernel");
    app.add_flag("--no-sandbox", options.no_sandbox,
                 "keep privileges and all system calls while the guest runs");
}

}  // namespace

void add_run_command(CLI::App& app, int* exit_status) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* command = app.add_subcommand("run", "run a command of this machine in a guest");
    add_guest_options(*command, *options);
    add_command_options(*command, *options);
    add_engine_options(*command, *options);
    command->footer(
        "Exit status: that of CMD; 124 after --timeout, 125 when farcall or the guest failed, 128+N after "
        "signal N.");
    command->positionals_at_end();
    command->callback([options, exit_status] { *exit_status = run(*options); });
}

}  // namespace farcall::vmm
