// SPDX-License-Identifier: MIT
#include "vmm/top_command.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "host-lib/error.h"
#include "host-lib/unique_fd.h"

namespace farcall::vmm {

namespace {

using Json = nlohmann::json;

struct TopOptions {
    std::string control;
    bool once = false;
    double interval = 1;
};

struct Sample {
    Json stats;
    std::chrono::steady_clock::time_point time;
};

std::string ask(const std::string& path, const std::string& request) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) throw Error("the socket path " + path + " is too long");
    path.copy(address.sun_path, path.size());
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0)
        throw errno_error("can't connect to " + path);
    if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
        throw errno_error("can't send to " + path);
    std::string text;
    char bytes[4096];
    for (ssize_t n = 0; (n = ::read(socket.get(), bytes, sizeof(bytes))) > 0;)
        text.append(bytes, static_cast<size_t>(n));
    return text;
}

Sample take_sample(const std::string& path) {
    Sample sample{Json::parse(ask(path, "stats json\n"), nullptr, false), std::chrono::steady_clock::now()};
    if (!sample.stats.is_object() || !sample.stats.contains("ops"))
        throw Error(path + " does not answer as farcall does");
    return sample;
}

/// 1234567 as 1.23M: at most five characters.
std::string shortened(double value) {
    constexpr const char* kUnits[] = {"", "k", "M", "G", "T", "P"};
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < std::size(kUnits))
        value /= 1000, unit++;
    if (unit == 0 && value == std::floor(value)) return fmt::format("{:.0f}", value);
    return fmt::format("{:.{}f}{}", value, value < 10 ? 2 : value < 100 ? 1 : 0, kUnits[unit]);
}

/// The bound of the bucket in which the quantile lies.
std::string quantile(const Json& latency, double q) {
    const auto samples = latency.at("samples").get<double>();
    double seen = 0;
    for (const Json& bucket : latency.at("buckets")) {
        seen += bucket.at("count").get<double>();
        if (seen < q * samples) continue;
        if (bucket.at("below_ns").is_null()) return ">8.5s";
        const auto ns = bucket.at("below_ns").get<double>();
        if (ns < 1e3) return fmt::format("<{:.0f}ns", ns);
        return ns < 1e6 ? fmt::format("<{:.3g}us", ns / 1e3) : fmt::format("<{:.4g}ms", ns / 1e6);
    }
    return "-";
}

/// Prints counters of rows: since they began, or per second since the same row of `before`.
class Table {
  public:
    Table(const Sample& now, const Sample* before) : now_(now), before_(before) {
        if (before != nullptr) seconds_ = std::chrono::duration<double>(now.time - before->time).count();
    }
    std::string cell(const char* table, const char* key, const Json& row, const char* column) const {
        const auto value = row.at(column).get<double>();
        if (before_ == nullptr) return shortened(value);
        double past = 0;
        for (const Json& old : before_->stats.at(table))
            if (old.at(key) == row.at(key)) past = old.at(column).get<double>();
        return shortened(std::max(0.0, value - past) / std::max(seconds_, 1e-3));
    }
    std::string ops() const {
        std::string text =
            fmt::format("{:<14}{:>9}{:>9}{:>9}{:>10}{:>10}\n", "OP", "DONE", "ERRORS", "BYTES", "P50", "P99");
        for (const Json& op : now_.stats.at("ops"))
            text += fmt::format("{:<14}{:>9}{:>9}{:>9}{:>10}{:>10}\n", op.at("name").get<std::string>(),
                                cell("ops", "name", op, "completed"), cell("ops", "name", op, "errors"),
                                cell("ops", "name", op, "bytes"), quantile(op.at("latency"), 0.5),
                                quantile(op.at("latency"), 0.99));
        return text;
    }
    std::string clients() const {
        std::string text = fmt::format("{:<14}{:>9}{:>9}{:>9}{:>9}{:>11}{:>8}\n", "CLIENT", "COMMANDS",
                                       "EVENTS", "ERRORS", "BYTES", "INTERRUPTS", "PID");
        for (const Json& client : now_.stats.at("clients")) {
            const std::string name = fmt::format("{}/{}", client.at("domain").get<std::string>(),
                                                 client.at("serial").get<uint64_t>());
            const std::string pid = client.contains("pid") ? client.at("pid").dump() : "-";
            const auto value = [&](const char* column) { return cell("clients", "serial", client, column); };
            text += fmt::format("{:<14}{:>9}{:>9}{:>9}{:>9}{:>11}{:>8}\n", name, value("commands"),
                                value("events"), value("errors"), value("bytes"), value("interrupts"), pid);
        }
        return text;
    }
    std::string domains() const {
        constexpr const char* kColumns[] = {"clients",      "channels",    "handles",
                                            "region_bytes", "graph_bytes", "call_bytes"};
        std::string text = fmt::format("{:<14}{:>9}{:>9}{:>9}{:>11}{:>10}{:>10}\n", "DOMAIN", "CLIENTS",
                                       "CHANNELS", "HANDLES", "REGIONS", "GRAPHS", "CALLS");
        for (const Json& domain : now_.stats.at("domains")) {
            std::string cells[std::size(kColumns)];
            for (size_t i = 0; i < std::size(kColumns); i++)
                cells[i] = shortened(domain.at(kColumns[i]).get<double>());
            text +=
                fmt::format("{:<14}{:>9}{:>9}{:>9}{:>11}{:>10}{:>10}\n", domain.at("name").get<std::string>(),
                            cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]);
        }
        return text;
    }
    std::string workers() const {
        constexpr const char* kColumns[] = {"commands",  "events", "interrupts",
                                            "doorbells", "sleeps", "spins"};
        std::string text = fmt::format("{:<14}{:>9}{:>9}{:>11}{:>10}{:>9}{:>9}\n", "WORKER", "COMMANDS",
                                       "EVENTS", "INTERRUPTS", "DOORBELLS", "SLEEPS", "SPINS");
        for (const Json& worker : now_.stats.at("workers")) {
            std::string cells[std::size(kColumns)];
            for (size_t i = 0; i < std::size(kColumns); i++)
                cells[i] = cell("workers", "index", worker, kColumns[i]);
            text +=
                fmt::format("{:<14}{:>9}{:>9}{:>11}{:>10}{:>9}{:>9}\n", worker.at("index").get<unsigned>(),
                            cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]);
        }
        return text;
    }

  private:
    const Sample& now_;
    const Sample* before_;
    double seconds_ = 1;
};

void show(const Sample& now, const Sample* before) {
    const Table table(now, before);
    const std::string text =
        table.ops() + "\n" + table.clients() + "\n" + table.domains() + "\n" + table.workers();
    // From the top of the screen, which is cleared below and at the end of each line's rest.
    if (before != nullptr) fmt::print("\033[H\033[J");
    fmt::print("{}", text);
    std::fflush(stdout);
}

void top(const TopOptions& options) {
    Sample before = take_sample(options.control);
    if (options.once) return show(before, nullptr);
    for (;;) {
        std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
        Sample now = take_sample(options.control);
        show(now, &before);
        before = std::move(now);
    }
}

}  // namespace

void add_top_command(CLI::App& app) {
    auto options = std::make_shared<TopOptions>();
    CLI::App* command =
        app.add_subcommand("top", "show what a running farcall does: rates by op, client and worker");
    command->add_option("--control", options->control, "socket of farcall run or serve --control")
        ->required()
        ->type_name("PATH");
    command->add_flag("--once", options->once, "print the counts since the start once, for scripts");
    command->add_option("--interval", options->interval, "seconds between two looks")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    command->callback([options] { top(*options); });
}

}  // namespace farcall::vmm
