// SPDX-License-Identifier: MIT
// Statistics: counts after known sequences, the formats, and the socket that gives them out.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "host-lib/error.h"
#include "host-lib/stats_server.h"
#include "host-lib/stats_snapshot.h"
#include "tests/test_client.h"

namespace farcall::test {
namespace {

class StatsTest : public ::testing::Test {
  protected:
    StatsTest() {
        dir_.write("file", std::string(1000, 'x'));
        DomainConfig config;
        config.name = "quoted \"name\"";
        config.shares.push_back({dir_.path().string(), true});
        domain_ = engine_.create_domain(config);
    }
    uint32_t open(TestClient& client) {
        memcpy(client.arena() + 512, "file", 4);
        fc_command c = transfer(FC_OP_OPEN, 1, 0, 0, 512, 4);
        c.op_flags = FC_OPEN_READ;
        return static_cast<uint32_t>(client.run(c).result);
    }
    /// What is counted once per batch follows the events themselves by a moment.
    StatsSnapshot settled(TestClient& client) {
        client.run(nop(1));
        client.destroy();
        return engine_.snapshot();
    }

    TempDir dir_;
    Engine engine_{EngineConfig{.spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
};

TEST_F(StatsTest, CountsByOp) {
    TestClient client(*domain_);
    const uint32_t file = open(client);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(client.run(transfer(FC_OP_READ, 2, file, 0, 8192, 100)).result, 100);
    EXPECT_EQ(client.run(transfer(FC_OP_READ, 2, file, 990, 8192, 100)).result, 10);
    EXPECT_EQ(client.run(transfer(FC_OP_READ, 2, file + 1, 0, 8192, 100)).result, -EBADF);
    const uint64_t parked = client.new_id();
    client.post(after(transfer(FC_OP_READ, 3, file, 0, 8192, 5), parked));
    client.post(with_id(nop(parked)));
    client.collect(2);
    fc_command unknown{};
    unknown.opcode = 250;
    EXPECT_EQ(client.run(unknown).result, -EOPNOTSUPP);
    const StatsSnapshot all = settled(client);
    EXPECT_EQ(all.ops[FC_OP_OPEN].completed, 1u);
    EXPECT_EQ(all.ops[FC_OP_READ].completed, 13u);
    EXPECT_EQ(all.ops[FC_OP_READ].errors, 1u);
    EXPECT_EQ(all.ops[FC_OP_READ].bytes, 1015u);
    EXPECT_EQ(all.ops[FC_OP_NOP].completed, 2u);
    EXPECT_EQ(all.ops[FC_OP_NOP].bytes, 0u) << "a nop's result is no bytes";
    EXPECT_EQ(all.ops[FC_OP_COUNT].errors, 1u);
    EXPECT_EQ(all.workers.at(0).commands, 17u);
    EXPECT_EQ(all.workers.at(0).events, 17u);
    EXPECT_EQ(all.workers.at(0).errors, 2u);
}

TEST_F(StatsTest, CountsByClientWhileItLives) {
    TestClient one(*domain_), two(*domain_);
    const uint32_t file = open(one);
    one.run(transfer(FC_OP_READ, 2, file, 0, 8192, 100));
    two.run(nop(1));
    two.run(transfer(FC_OP_READ, 2, file, 0, 8192, 100));
    const auto row = [&](const TestClient& client) {
        for (const auto& listed : engine_.snapshot().clients)
            if (listed.serial == client.serial()) return listed;
        return StatsSnapshot::Client{};
    };
    for (int i = 0; i < 1000 && (row(one).events < 2 || row(two).events < 2); i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(row(one).commands, 2u);
    EXPECT_EQ(row(one).events, 2u);
    EXPECT_EQ(row(one).bytes, 100u);
    EXPECT_EQ(row(one).errors, 0u);
    EXPECT_EQ(row(two).errors, 1u);
    EXPECT_EQ(row(two).bytes, 0u);
    EXPECT_FALSE(row(two).peer.known);
    one.destroy();
    EXPECT_EQ(row(one).serial, 0u) << "gone";
    EXPECT_EQ(engine_.snapshot().clients.size(), 1u);
}

// What a client takes is counted while it has it, and all of it comes back, also from one that goes on
// detached.
TEST_F(StatsTest, TellsWhatIsInUse) {
    const auto now = [&] { return engine_.snapshot().domains.at(0); };
    EXPECT_EQ(now().clients + now().channels + now().handles + now().region_bytes + now().graph_bytes, 0u);
    {
        TestClient client(*domain_);
        open(client);
        client.run(transfer(FC_OP_READ, 2, open(client), 0, 8192, 100));
        EXPECT_EQ(now().name, "quoted \"name\"");
        EXPECT_EQ(now().clients, 1u);
        EXPECT_EQ(now().channels, 1u);
        EXPECT_EQ(now().handles, 2u);
        EXPECT_EQ(now().region_bytes, TestClient::kArenaBytes);
        EXPECT_GT(now().graph_bytes, 0u);
        fc_command timer{};
        timer.opcode = FC_OP_TIMER;
        timer.offset = 100'000'000;
        timer.flags = FC_F_DETACH;
        client.post(timer);
        client.destroy();  // answers when nothing is left
    }
    for (int i = 0; i < 1000 && now().clients != 0; i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(now().clients + now().channels + now().handles + now().region_bytes + now().graph_bytes, 0u);
}

TEST_F(StatsTest, LatenciesOfAllStampedCommandsAndSomeOthers) {
    TestClient stamped(*domain_, {.channel_flags = FC_CHANNEL_TIMESTAMPS});
    fc_command timer{};
    timer.opcode = FC_OP_TIMER;
    timer.offset = 3000000;
    for (int i = 0; i < 5; i++)
        stamped.run(timer);
    StatsSnapshot::Op op = engine_.snapshot().ops[FC_OP_TIMER];
    EXPECT_EQ(op.samples(), 5u);
    EXPECT_GE(op.latency_sum_ns, 15000000u);
    for (unsigned bucket = 0; 64ull << bucket <= 2000000; bucket++)
        EXPECT_EQ(op.latency[bucket], 0u) << "shorter than the timer: bucket " << bucket;
    TestClient plain(*domain_);
    for (uint32_t i = 0; i < 10 * WorkerStats::kSamplePeriod; i++)
        plain.run(nop(i));
    op = engine_.snapshot().ops[FC_OP_NOP];
    EXPECT_GE(op.samples(), 9u);
    EXPECT_LE(op.samples(), 11u);
}

TEST(LatencyHistogramTest, BucketsArePowersOfTwo) {
    LatencyHistogram histogram;
    for (const uint64_t ns : {0ull, 63ull, 64ull, 127ull, 128ull, 1ull << 33, ~0ull >> 1})
        histogram.record(ns);
    EXPECT_EQ(histogram.bucket(0), 2u);
    EXPECT_EQ(histogram.bucket(1), 2u);
    EXPECT_EQ(histogram.bucket(2), 1u);
    EXPECT_EQ(histogram.bucket(LatencyHistogram::kBuckets - 1), 2u);
}

// One grammar for all lines, cumulative buckets, the same sums in both formats.
TEST_F(StatsTest, PrometheusTextFollowsItsGrammar) {
    TestClient client(*domain_, {.channel_flags = FC_CHANNEL_TIMESTAMPS});
    const uint32_t file = open(client);
    client.run(transfer(FC_OP_READ, 2, file, 0, 8192, 100));
    for (uint32_t i = 0; i < 100; i++)
        client.run(nop(i));
    const StatsSnapshot all = engine_.snapshot();
    const std::regex comment("# (HELP [a-z_]+ [^\\n]+|TYPE [a-z_]+ (counter|gauge|histogram))");
    const std::regex sample(
        R"re(([a-z_]+)\{([a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*)\} ([0-9.e+-]+))re");
    std::istringstream text(all.prometheus());
    std::map<std::string, std::string> values;
    std::string family;
    uint64_t last_bucket = 0;
    for (std::string line; std::getline(text, line);) {
        std::smatch match;
        if (line.starts_with("#")) {
            EXPECT_TRUE(std::regex_match(line, comment)) << line;
            if (line.starts_with("# TYPE ")) family = line.substr(7, line.rfind(' ') - 7);
            continue;
        }
        ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
        EXPECT_TRUE(match[1].str().starts_with(family)) << "a sample away from its family: " << line;
        EXPECT_TRUE(values.emplace(match[1].str() + match[2].str(), match[6]).second) << "twice: " << line;
        if (!match[1].str().ends_with("_bucket")) continue;
        const uint64_t count = std::stoull(match[6]);
        if (line.find("le=\"6.4e-08\"") == std::string::npos) {
            EXPECT_GE(count, last_bucket) << "buckets must be cumulative: " << line;
        }
        last_bucket = count;
    }
    EXPECT_EQ(values["farcall_op_completed_total"
                     "op=\"nop\""],
              "100");
    EXPECT_EQ(values["farcall_op_bytes_total"
                     "op=\"read\""],
              "100");
    EXPECT_EQ(values["farcall_op_latency_seconds_count"
                     "op=\"nop\""],
              "100");
    EXPECT_EQ(values["farcall_op_latency_seconds_bucket"
                     "op=\"nop\",le=\"+Inf\""],
              "100");
    EXPECT_TRUE(
        values.contains("farcall_client_commands_total"
                        "domain=\"quoted \\\"name\\\"\",client=\"" +
                        std::to_string(client.serial()) + "\""));
    EXPECT_EQ(values["farcall_domain_handles"
                     "domain=\"quoted \\\"name\\\"\""],
              "1");
    const auto json = nlohmann::json::parse(all.json());
    EXPECT_EQ(json["domains"][0]["handles"], 1);
    EXPECT_EQ(json["clients"][0]["domain"], "quoted \"name\"");
    for (const auto& op : json["ops"]) {
        uint64_t samples = 0;
        for (const auto& bucket : op["latency"]["buckets"])
            samples += bucket["count"].get<uint64_t>();
        EXPECT_EQ(samples, op["latency"]["samples"].get<uint64_t>());
        EXPECT_EQ(samples, op["completed"].get<uint64_t>());
    }
}

class StatsServerTest : public StatsTest {
  protected:
    std::string path() const { return (dir_.path() / "control").string(); }
    UniqueFd connect() const {
        UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof(address.sun_path) - 1);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
        return fd;
    }
    std::string ask(const std::string& request) const {
        const UniqueFd fd = connect();
        EXPECT_EQ(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(request.size()));
        ::shutdown(fd.get(), SHUT_WR);
        std::string text;
        char bytes[4096];
        for (ssize_t n = 0; (n = ::read(fd.get(), bytes, sizeof(bytes))) > 0;)
            text.append(bytes, static_cast<size_t>(n));
        return text;
    }
};

TEST_F(StatsServerTest, AnswersItsRequestsAndRefusesGarbage) {
    std::optional<StatsServer> server;
    server.emplace(engine_, path());
    struct stat status {};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_TRUE(nlohmann::json::parse(ask("stats json\n")).contains("workers"));
    EXPECT_TRUE(ask("stats prometheus\n").starts_with("# HELP farcall_worker_commands_total "));
    for (const std::string garbage : {"", "\n", "stats", "stats json", "stats json\nstats json\n",
                                      "stats xml\n", "\xff\xfe\0\n", "GET / HTTP/1.1\r\n"})
        EXPECT_TRUE(ask(garbage).starts_with("error: ")) << garbage;
    EXPECT_TRUE(ask(std::string(100, 'x')).starts_with("error: "));
    {
        const UniqueFd silent = connect();  // who says nothing does not hold it up for ever
        EXPECT_TRUE(ask("stats json\n").starts_with("{"));
    }
    {
        const UniqueFd deaf = connect();  // nor who goes away without the answer
        ASSERT_EQ(::send(deaf.get(), "stats json\n", 11, MSG_NOSIGNAL), 11);
    }
    EXPECT_TRUE(ask("stats json\n").starts_with("{"));
    EXPECT_THROW(StatsServer(engine_, path()), Error) << "a second one on the same path";
    server.reset();
    EXPECT_NE(::stat(path().c_str(), &status), 0) << "the socket's file is left behind";
    EXPECT_THROW(StatsServer(engine_, "/nonexistent/control"), Error);
}

}  // namespace
}  // namespace farcall::test
