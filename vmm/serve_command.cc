// SPDX-License-Identifier: MIT
#include "vmm/serve_command.h"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/types.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host-lib/engine.h"
#include "host-lib/error.h"
#include "host-lib/local_server.h"
#include "host-lib/stats_server.h"
#include "vmm/descriptor_limit.h"
#include "vmm/io_option.h"
#include "vmm/net_option.h"
#include "vmm/share_option.h"

namespace farcall::vmm {

namespace {

struct ServeOptions {
    std::string socket;
    std::vector<std::string> shares;
    unsigned workers = 1;
    std::vector<int> worker_cores;
    std::vector<uid_t> users;
    bool any_user = false;
    IoOptions io;
    std::string control;
    uint64_t client_rate = 0;
    NetOptions net;
};

/// A server's clients have file systems of their own.
ShareConfig parse_plain_share(const std::string& text) {
    const ShareOption option = parse_share(text);
    if (!option.where.empty())
        throw Error("--share: \"" + text + "\" names a place in a guest, and there is none");
    return option.share;
}

/// Blocks the signals that end the server. Before any thread exists, so that all inherit it.
sigset_t block_end_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

void serve(const ServeOptions& options) {
    DomainConfig domain_config;
    domain_config.name = "local";
    domain_config.limits.commands_per_s = options.client_rate;
    for (const std::string& share : options.shares)
        domain_config.shares.push_back(parse_plain_share(share));
    domain_config.net = parse_net(options.net);
    if (domain_config.shares.size() > FC_MAX_SHARES) {
        throw Error("at most " + std::to_string(FC_MAX_SHARES) + " directories can be shared");
    }
    if (options.worker_cores.size() > options.workers)
        throw Error("--worker-cores names more cores than --workers");
    const sigset_t signals = block_end_signals();
    raise_descriptor_limit();

    EngineConfig engine_config;
    engine_config.workers = options.workers;
    engine_config.worker_cpus = options.worker_cores;
    options.io.apply(engine_config);
    Engine engine(engine_config);
    const std::unique_ptr<Domain> domain = engine.create_domain(std::move(domain_config));
    LocalServerConfig server_config;
    server_config.path = options.socket;
    server_config.users = options.users;
    server_config.any_user = options.any_user;
    const LocalServer server(*domain, server_config);
    std::optional<StatsServer> stats;
    if (!options.control.empty()) stats.emplace(engine, options.control);
    spdlog::info("serving {} shares on {}, {}", options.shares.size(), options.socket, describe_io(engine));

    int received = 0;
    ::sigwait(&signals, &received);
    spdlog::info("{}: closing {}", strsignal(received), options.socket);
}

}  // namespace

void add_serve_command(CLI::App& app) {
    auto options = std::make_shared<ServeOptions>();
    CLI::App* command =
        app.add_subcommand("serve", "Offer the engine to processes of this host over a Unix socket");
    command->add_option("--socket", options->socket, "path of the socket")->required()->type_name("PATH");
    command
        ->add_option("--share", options->shares, "directory to offer as the next share; read-only by default")
        ->type_name("DIR[:ro|rw]")
        ->allow_extra_args(false);
    command->add_option("--workers", options->workers, "worker threads")->check(CLI::Range(1, 64));
    command->add_option("--worker-cores", options->worker_cores, "cores to pin the workers to, in order")
        ->delimiter(',');
    add_io_options(*command, options->io);
    add_net_options(*command, options->net);
    command->add_option("--allow-uid", options->users, "also serve this user; may be given more than once")
        ->type_name("UID")
        ->allow_extra_args(false);
    command->add_flag("--allow-any-user", options->any_user, "serve every user of this host");
    command
        ->add_option("--control", options->control, "socket for farcall top and other readers of statistics")
        ->type_name("PATH");
    command
        ->add_option("--client-rate", options->client_rate,
                     "commands per second that one client may have taken")
        ->type_name("N");
    command->callback([options] { serve(*options); });
}

}  // namespace farcall::vmm
