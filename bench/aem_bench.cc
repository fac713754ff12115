// SPDX-License-Identifier: MIT
#include "bench/aem_bench.h"

#include <sys/socket.h>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "bench/aem_servers.h"
#include "bench/scratch.h"
#include "bench/spawned.h"
#include "host-lib/engine.h"
#include "host-lib/error.h"
#include "host-lib/local_server.h"
#include "vmm/guest_files.h"

namespace farcall::bench {
namespace {

constexpr uint32_t kMessages = 50'000;  // AEM's number
constexpr uint32_t kQuickMessages = 400;
constexpr uint32_t kRounds = 10;
constexpr int kFirstPort = 20'000;  // below those that clients get by chance
constexpr uint32_t kRegistered[] = {0, 1000, 100'000};

std::string name_of(const char* way, uint32_t bytes) {
    return std::string("pingpong_") + way + "_" + std::to_string(bytes);
}

std::string registered_name(uint32_t count) {
    return "pingpong_2_registered_" + std::to_string(count);
}

/// The first of 16 ports that other runs on this machine are unlikely to have.
uint16_t own_ports() {
    return static_cast<uint16_t>(kFirstPort + getpid() % 400 * 16);
}

/// An engine with a local server and some published ports of the loopback address.
class Host {
  public:
    explicit Host(int worker_core) : engine_(config(worker_core)) {
        DomainConfig domain;
        PublishedPorts ports;
        ports.protocol = NetProtocol::kTcp;
        ports.address.v4 = true;
        ports.address.bytes = {127, 0, 0, 1};
        ports.first_port = ports.guest_port = own_ports();
        ports.last_port = static_cast<uint16_t>(ports.first_port + 15);
        domain.net.publish = {ports};
        domain_ = engine_.create_domain(std::move(domain));
        server_ =
            std::make_unique<LocalServer>(*domain_, LocalServerConfig{.path = directory_.path() + "/socket"});
    }
    std::string where() const { return "unix:" + directory_.path() + "/socket"; }

  private:
    static EngineConfig config(int worker_core) {
        EngineConfig config;
        config.worker_cpus = {worker_core};
        return config;
    }

    ScratchDirectory directory_;
    Engine engine_;
    std::unique_ptr<Domain> domain_;
    std::unique_ptr<LocalServer> server_;
};

std::vector<uint32_t> sizes(bool quick) {
    if (quick) return {2, 1024, 65536};
    std::vector<uint32_t> out;
    for (uint32_t bytes = 2; bytes <= 65536; bytes *= 2)
        out.push_back(bytes);
    return out;
}

/// Of each size, to each server, in each round.
uint32_t messages_of(const Options& options) {
    const uint32_t all = options.messages != 0 ? options.messages
                         : options.quick       ? kQuickMessages
                                               : kMessages;
    return std::max(1u, all / kRounds);
}

/// Every size to every server, whose connections are in the order of kWays.
void ping_pong(Results& results, const std::vector<UniqueFd>& ways, const Options& options) {
    for (const uint32_t bytes : sizes(options.quick))
        for (size_t i = 0; i < kWays.size(); i++)
            results.add(name_of(kWays[i].name, bytes),
                        exchange_messages(ways[i].get(), bytes, messages_of(options)));
}

void add_ratios(Results& results, const Options& options, const char* expected) {
    const std::vector<uint32_t> all = sizes(options.quick);
    for (const uint32_t bytes : all)
        for (const char* other : {"select", "poll", "epoll"})
            results.add_ratio(name_of("handlers", bytes), name_of(other, bytes), expected);
    for (const uint32_t bytes : all)
        results.add_ratio(name_of("handlers", bytes), name_of("dispatch", bytes), "the price of a signal");
    for (const uint32_t count : {kRegistered[1], kRegistered[2]})
        results.add_ratio(registered_name(count), registered_name(kRegistered[0]), "near 1");
}

void count_messages(Report& report, const Options& options) {
    report.counters.emplace_back("messages", uint64_t{messages_of(options)} * kRounds);
}

/// A VM in which farcall-echo serves in all ways, each at a port that is published as it is.
class EchoVm {
  public:
    explicit EchoVm(uint16_t first_port)
        : monitor_({"/proc/self/exe", "run", "--root", "packed", "--net", "host", "--timeout",
                    std::to_string(kVmSeconds), "--publish",
                    fmt::format("{}-{}", first_port, first_port + kWays.size() - 1), "--add",
                    echo_program() + ":/bin/farcall-echo", "--", "/bin/farcall-echo",
                    std::to_string(first_port)}) {
        monitor_.await(kEchoListens, kVmSeconds);
    }

  private:
    static constexpr int kVmSeconds = 3000;

    static std::string echo_program() {
        std::string path = vmm::executable_directory() + "/farcall-echo";
        if (access(path.c_str(), X_OK) < 0) throw Error("there is no farcall-echo beside farcall: " + path);
        return path;
    }

    Spawned monitor_;
};

}  // namespace

Report measure_aem(const Options& options) {
    Run run("aem", options);
    Results& results = run.report().results;
    // Client and server take turns, on one core: wherever the scheduler puts them, it is the same for all.
    const int core = run.report().cores.client;
    // The servers' processes first: this one has no threads yet.
    std::vector<std::unique_ptr<EchoServer>> servers;
    servers.reserve(kWays.size() + std::size(kRegistered));
    for (const Way& way : kWays)
        servers.push_back(std::make_unique<EchoServer>(EchoSetup{.hears = way.hears}, core));
    for (const uint32_t count : kRegistered)
        servers.push_back(std::make_unique<EchoServer>(EchoSetup{Hears::kHandlers, count}, core));
    const Host host(run.report().cores.worker);
    pin_thread(core);
    std::vector<UniqueFd> connections;
    for (const auto& server : servers) {
        server->start(host.where());
        connections.push_back(connect_to_echo(server->port()));
    }
    run.repeat({kRounds, 1e9}, [&] {
        ping_pong(results, connections, options);
        for (size_t i = 0; i < std::size(kRegistered); i++)
            results.add(registered_name(kRegistered[i]),
                        exchange_messages(connections[kWays.size() + i].get(), 2, messages_of(options)));
    });
    count_messages(run.report(), options);
    return run.finish([&] { add_ratios(results, options, "> 1: a party more"); });
}

Report measure_aem_vm(const Options& options) {
    Run run("aem-vm", options);
    Results& results = run.report().results;
    const uint16_t first_port = own_ports();
    const EchoVm vm(first_port);
    pin_thread(run.report().cores.client);
    std::vector<UniqueFd> connections;
    for (size_t i = 0; i < kWays.size(); i++)
        connections.push_back(connect_to_echo(static_cast<uint16_t>(first_port + i)));
    run.repeat({kRounds, 1e9}, [&] { ping_pong(results, connections, options); });
    count_messages(run.report(), options);
    run.report().facts = {{"guest kernel", vmm::find_default_guest().name}};
    return run.finish(
        [&] { add_ratios(results, options, "< 1: no descriptor of the guest's kernel between"); });
}

}  // namespace farcall::bench
