// SPDX-License-Identifier: MIT
#include "host-lib/stats_snapshot.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>

#include "host-lib/domain_state.h"
#include "host-lib/ops.h"

namespace farcall {
namespace {

using Row = StatsSnapshot;

const char* op_name(unsigned index) {
    return index < FC_OP_COUNT ? op_info(static_cast<uint8_t>(index)).name : "unknown";
}

/// Upper bound of a bucket in ns, exclusive; 0: none.
uint64_t bound_of(unsigned bucket) {
    return bucket + 1 < LatencyHistogram::kBuckets ? 1ull << (bucket + LatencyHistogram::kFirstBits) : 0;
}

template <class T>
struct Column {
    const char* name;
    const char* help;
    uint64_t T::*value;
};
constexpr Column<Row::Worker> kWorkerColumns[] = {
    {"commands", "Commands taken from rings.", &Row::Worker::commands},
    {"events", "Events written to rings.", &Row::Worker::events},
    {"errors", "Events with a negative result.", &Row::Worker::errors},
    {"interrupts", "Event interrupts raised.", &Row::Worker::interrupts},
    {"doorbells", "Times that a doorbell was found rung.", &Row::Worker::doorbells},
    {"sleeps", "Times that the worker went to sleep.", &Row::Worker::sleeps},
    {"spins", "Rounds of polling that found nothing to do.", &Row::Worker::spins},
    {"poisoned", "Channels poisoned.", &Row::Worker::poisoned},
    {"pool_jobs", "Commands that went through the blocking pool.", &Row::Worker::pool_jobs},
    {"uring_jobs", "Commands that went through io_uring.", &Row::Worker::uring_jobs},
    {"mapped_reads", "Reads that were copies from mapped parts of a file.", &Row::Worker::mapped_reads},
};
constexpr Column<Row::Op> kOpColumns[] = {
    {"completed", "Commands completed.", &Row::Op::completed},
    {"errors", "Commands completed with a negative result.", &Row::Op::errors},
    {"bytes", "Bytes moved.", &Row::Op::bytes},
};
constexpr Column<Row::Client> kClientColumns[] = {
    {"commands", "Commands taken from the client's rings.", &Row::Client::commands},
    {"events", "Events written to the client's rings.", &Row::Client::events},
    {"errors", "Events with a negative result.", &Row::Client::errors},
    {"bytes", "Bytes moved by the client's commands.", &Row::Client::bytes},
    {"interrupts", "Event interrupts raised for the client.", &Row::Client::interrupts},
};
constexpr Column<Row::Domain> kDomainColumns[] = {
    {"clients", "Clients, with those that are gone but for detached commands.", &Row::Domain::clients},
    {"channels", "Channels.", &Row::Domain::channels},
    {"handles", "Handles that clients have opened.", &Row::Domain::handles},
    {"region_bytes", "Bytes of registered memory.", &Row::Domain::region_bytes},
    {"graph_bytes", "Bytes for event IDs and parked commands.", &Row::Domain::graph_bytes},
    {"call_bytes", "Bytes of calls that wait for a server.", &Row::Domain::call_bytes},
};

template <class T, size_t N>
nlohmann::json row_json(const T& row, const Column<T> (&columns)[N]) {
    nlohmann::json out;
    for (const Column<T>& column : columns)
        out[column.name] = row.*column.value;
    return out;
}

nlohmann::json latency_json(const Row::Op& op) {
    nlohmann::json buckets = nlohmann::json::array();
    for (unsigned i = 0; i < op.latency.size(); i++) {
        if (op.latency[i] == 0) continue;
        const uint64_t bound = bound_of(i);
        buckets.push_back(
            {{"below_ns", bound == 0 ? nlohmann::json() : nlohmann::json(bound)}, {"count", op.latency[i]}});
    }
    return {{"samples", op.samples()}, {"sum_ns", op.latency_sum_ns}, {"buckets", buckets}};
}

using Text = std::back_insert_iterator<std::string>;

void header(Text out, const std::string& name, const char* type, const char* help) {
    fmt::format_to(out, "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

std::string escaped(const std::string& value) {
    std::string out;
    for (const char c : value) {
        if (c == '\\' || c == '"') out += '\\';
        out += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    return out;
}

/// All rows of one metric after another, as the format wants them.
template <class T, size_t N, class Rows, class Labels>
void write_rows(Text out, const char* type, const char* group, const Column<T> (&columns)[N],
                const Rows& rows, Labels labels) {
    for (const Column<T>& column : columns) {
        const bool counter = type == std::string_view("counter");
        const std::string name = fmt::format("farcall_{}_{}{}", group, column.name, counter ? "_total" : "");
        header(out, name, type, column.help);
        for (size_t i = 0; i < rows.size(); i++)
            if (const std::string label = labels(i); !label.empty())
                fmt::format_to(out, "{}{{{}}} {}\n", name, label, rows[i].*column.value);
    }
}

void write_latencies(Text out, const Row& all) {
    const std::string name = "farcall_op_latency_seconds";
    header(out, name, "histogram", "From the take of a command to its completion, sampled.");
    for (unsigned i = 0; i < all.ops.size(); i++) {
        const Row::Op& op = all.ops[i];
        if (op.samples() == 0) continue;
        uint64_t sum = 0;
        for (unsigned bucket = 0; bucket < op.latency.size(); bucket++) {
            sum += op.latency[bucket];
            const uint64_t bound = bound_of(bucket);
            const std::string limit =
                bound == 0 ? "+Inf" : fmt::format("{}", static_cast<double>(bound) * 1e-9);
            fmt::format_to(out, "{}_bucket{{op=\"{}\",le=\"{}\"}} {}\n", name, op_name(i), limit, sum);
        }
        fmt::format_to(out, "{0}_sum{{op=\"{1}\"}} {2}\n{0}_count{{op=\"{1}\"}} {3}\n", name, op_name(i),
                       static_cast<double>(op.latency_sum_ns) * 1e-9, sum);
    }
}

}  // namespace

uint64_t StatsSnapshot::Op::samples() const {
    return std::accumulate(latency.begin(), latency.end(), uint64_t{0});
}

void StatsSnapshot::add(unsigned index, const WorkerStats& stats) {
    workers.push_back({index, stats.commands.get(), stats.events.get(), stats.errors.get(),
                       stats.interrupts.get(), stats.doorbells.get(), stats.sleeps.get(), stats.spins.get(),
                       stats.poisoned.get(), stats.pool_jobs.get(), stats.uring_jobs.get(),
                       stats.mapped_reads.get()});
    for (unsigned i = 0; i < WorkerStats::kOps; i++) {
        ops[i].completed += stats.ops[i].completed.get();
        ops[i].errors += stats.ops[i].errors.get();
        ops[i].bytes += stats.ops[i].bytes.get();
        ops[i].latency_sum_ns += stats.latencies[i].sum_ns();
        for (unsigned bucket = 0; bucket < LatencyHistogram::kBuckets; bucket++)
            ops[i].latency[bucket] += stats.latencies[i].bucket(bucket);
    }
}

void StatsSnapshot::add(const std::string& domain, const ClientStats& stats) {
    clients.push_back({domain, stats.serial, stats.worker, stats.peer, stats.commands.get(),
                       stats.events.get(), stats.errors.get(), stats.bytes.get(), stats.interrupts.get()});
}

void StatsSnapshot::add(const DomainState& domain) {
    domains.push_back({domain.name, domain.clients.load(), domain.channels.load(),
                       domain.handle_budget->used(), domain.region_budget->used(), domain.graph_budget.used(),
                       domain.call_budget->used()});
}

std::string StatsSnapshot::json() const {
    nlohmann::json out = {{"workers", nlohmann::json::array()},
                          {"ops", nlohmann::json::array()},
                          {"clients", nlohmann::json::array()},
                          {"domains", nlohmann::json::array()}};
    for (const Worker& worker : workers) {
        out["workers"].push_back(row_json(worker, kWorkerColumns));
        out["workers"].back()["index"] = worker.index;
    }
    for (unsigned i = 0; i < ops.size(); i++) {
        if (ops[i].completed == 0) continue;
        nlohmann::json row = row_json(ops[i], kOpColumns);
        row["name"] = op_name(i);
        row["latency"] = latency_json(ops[i]);
        out["ops"].push_back(std::move(row));
    }
    for (const Client& client : clients) {
        nlohmann::json row = row_json(client, kClientColumns);
        row["domain"] = client.domain;
        row["serial"] = client.serial;
        row["worker"] = client.worker;
        if (client.peer.known) row["pid"] = client.peer.pid, row["uid"] = client.peer.uid;
        out["clients"].push_back(std::move(row));
    }
    for (const Domain& domain : domains) {
        out["domains"].push_back(row_json(domain, kDomainColumns));
        out["domains"].back()["name"] = domain.name;
    }
    return out.dump() + "\n";
}

std::string StatsSnapshot::prometheus() const {
    std::string text;
    const Text out(text);
    write_rows(out, "counter", "worker", kWorkerColumns, workers,
               [&](size_t i) { return fmt::format("worker=\"{}\"", workers[i].index); });
    write_rows(out, "counter", "op", kOpColumns, ops, [&](size_t i) {
        return ops[i].completed == 0 ? "" : fmt::format("op=\"{}\"", op_name(static_cast<unsigned>(i)));
    });
    write_rows(out, "counter", "client", kClientColumns, clients, [&](size_t i) {
        return fmt::format("domain=\"{}\",client=\"{}\"", escaped(clients[i].domain), clients[i].serial);
    });
    write_rows(out, "gauge", "domain", kDomainColumns, domains,
               [&](size_t i) { return fmt::format("domain=\"{}\"", escaped(domains[i].name)); });
    write_latencies(out, *this);
    return text;
}

}  // namespace farcall
