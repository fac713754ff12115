// SPDX-License-Identifier: MIT
// Limits of clients and domains, rates, and how much one client is in another's way.
#include <algorithm>
#include <atomic>
#include <thread>

#include "host-lib/rate_limit.h"
#include "tests/test_client.h"

namespace farcall::test {
namespace {

using Clock = std::chrono::steady_clock;

TEST(RateLimitTest, GivesWhatComesAndNoMore) {
    RateLimit limit(1000, 10);
    uint64_t now = 5'000'000'000;
    EXPECT_EQ(limit.available(64, now), 10u);
    limit.take(10);
    EXPECT_EQ(limit.available(64, now), 0u);
    EXPECT_EQ(limit.available(64, now + 999'999), 0u);
    EXPECT_EQ(limit.available(64, now + 1'000'000), 1u);
    EXPECT_EQ(limit.available(64, now + 3'500'000), 3u) << "the fraction is kept";
    EXPECT_EQ(limit.available(64, now + 4'000'000), 4u);
    EXPECT_EQ(limit.available(2, now + 4'000'000), 2u);
    EXPECT_EQ(limit.available(64, now + 1000'000'000'000), 10u) << "a pause gives a burst, no more";
    uint64_t taken = 0;
    limit.take(10);
    now += 1000'000'000'000;
    for (int i = 0; i < 3'000'000; i++, now += 333) {
        const uint32_t some = limit.available(64, now);
        limit.take(some);
        taken += some;
    }
    EXPECT_NEAR(static_cast<double>(taken), 999, 2) << "looking often neither gains nor loses";
    EXPECT_FALSE(RateLimit(0, 0).limited());
    EXPECT_EQ(RateLimit(1, 0).available(64, now), 1u);
    EXPECT_EQ(RateLimit(~0ull, ~0ull).available(64, now), 64u);
}

TEST(LimitsTest, ClientOverItsRateIsDelayedAndNothingElse) {
    Engine engine{EngineConfig{.spin = std::chrono::microseconds(20)}};
    DomainConfig config;
    config.limits.commands_per_s = 1000;
    config.limits.commands_burst = 10;
    const auto limited = engine.create_domain(config);
    const auto free = engine.create_domain({});
    TestClient slow(*limited), fast(*free);
    const auto start = Clock::now();
    for (uint32_t i = 0; i < 60; i++)
        slow.post(nop(i, i));
    for (uint32_t i = 0; i < 1000; i++)
        ASSERT_EQ(fast.run(nop(i, i)).result, static_cast<int>(i));
    for (uint32_t i = 0; i < 60; i++)
        EXPECT_EQ(slow.wait().event.result, static_cast<int>(i)) << "in order, and no error";
    EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(45))
        << "50 commands beyond the burst need 50 ms";
    // And after a pause, asleep meanwhile or not, it goes on.
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    for (uint32_t i = 0; i < 30; i++)
        EXPECT_EQ(slow.run(nop(i, 7)).result, 7);
}

TEST(LimitsTest, RegionsCountTogetherAndAreGivenBack) {
    Engine engine{EngineConfig{}};
    DomainConfig config;
    config.limits.max_client_region_bytes = 2 * TestClient::kArenaBytes;
    config.limits.max_domain_region_bytes = 3 * TestClient::kArenaBytes;
    const auto domain = engine.create_domain(config);
    TestClient one(*domain);
    auto two = std::make_unique<TestClient>(*domain);
    const auto add = [&](TestClient& client, uint64_t bytes) {
        const RegionConfig region{{{client.arena(), bytes}}, FC_REGION_WRITE, nullptr};
        return TestClient::call([&](ControlDone done) { domain->add_region(client.id(), region, done); });
    };
    EXPECT_EQ(add(one, TestClient::kArenaBytes + 8).status, -E2BIG) << "more than the client may have";
    const ControlResult region = add(one, TestClient::kArenaBytes);
    EXPECT_EQ(region.status, 0);
    EXPECT_EQ(add(*two, 8).status, -E2BIG) << "more than the domain may have";
    const auto remove = [&](ControlDone done) {
        domain->remove_region(one.id(), static_cast<uint32_t>(region.value), done);
    };
    EXPECT_EQ(TestClient::call(remove).status, 0);
    EXPECT_EQ(add(*two, TestClient::kArenaBytes).status, 0);
    EXPECT_EQ(add(one, 8).status, -E2BIG);
    two.reset();
    EXPECT_EQ(add(one, 8).status, 0) << "what a client had is given back when it goes";
}

TEST(LimitsTest, HandlesAndChannelsOfADomain) {
    const TempDir dir;
    dir.write("file", "x");
    Engine engine{EngineConfig{}};
    DomainConfig config;
    config.shares.push_back({dir.path().string(), false});
    config.limits.max_domain_handles = 3;
    config.limits.max_domain_channels = 3;
    const auto domain = engine.create_domain(config);
    TestClient one(*domain);
    auto two = std::make_unique<TestClient>(*domain);
    const auto open = [](TestClient& client) {
        memcpy(client.arena() + 512, "file", 4);
        fc_command c = transfer(FC_OP_OPEN, 1, 0, 0, 512, 4);
        c.op_flags = FC_OPEN_READ;
        return client.run(c).result;
    };
    const int first = open(one);
    EXPECT_GT(first, 0);
    EXPECT_GT(open(*two), 0);
    EXPECT_GT(open(*two), 0);
    EXPECT_EQ(open(one), -ENFILE);
    fc_command close{};
    close.opcode = FC_OP_CLOSE;
    close.handle = static_cast<uint32_t>(first);
    EXPECT_EQ(one.run(close).result, 0);
    EXPECT_GT(open(*two), 0);
    EXPECT_EQ(open(one), -ENFILE);
    const auto channel = [&](TestClient& client) {
        ChannelConfig shape;
        shape.command_slots = shape.event_slots = 8;
        shape.bytes = fc_channel_bytes(8, 8, 16);
        shape.memory = client.map(8192);
        return TestClient::call([&](ControlDone done) { domain->create_channel(client.id(), shape, done); })
            .status;
    };
    EXPECT_EQ(channel(one), 0);
    EXPECT_EQ(channel(one), -EMFILE);
    two.reset();
    EXPECT_GT(open(one), 0) << "what a client had is given back when it goes";
    EXPECT_EQ(channel(one), 0);
    EXPECT_EQ(channel(one), -EMFILE);
}

/// From the post of a nop to its completion, in ns, by the host's time stamps: neither side has to poll, so
/// the worker has a core even where there are few. Sorted.
std::vector<double> measure(TestClient& client, int count) {
    std::vector<double> out;
    for (int i = 0; i < count; i++) {
        const uint64_t posted = monotonic_ns();
        client.post(nop(1, 1));
        std::optional<fc_event_ts> event;
        while (!(event = client.poll()))
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        EXPECT_EQ(event->event.result, 1);
        out.push_back(static_cast<double>(event->picked_up + event->completed_after) -
                      static_cast<double>(posted));
    }
    std::sort(out.begin(), out.end());
    return out;
}

/// A client that keeps its ring full of one command.
class Flood {
  public:
    Flood(Domain& domain, bool reads) : client_(domain, {.command_slots = 4096, .event_slots = 4096}) {
        memcpy(client_.arena() + 512, "file", 4);
        fc_command open = transfer(FC_OP_OPEN, 1, 0, 0, 512, 4);
        open.op_flags = FC_OPEN_READ;
        const auto file = static_cast<uint32_t>(client_.run(open).result);
        command_ = reads ? transfer(FC_OP_READ, 1, file, 0, 8192, 64 << 10) : nop(1);
        thread_ = std::thread([this] { run(); });
        while (!begun_)
            std::this_thread::yield();
    }
    ~Flood() {
        stop_ = true;
        thread_.join();
    }

  private:
    void run() {
        for (uint32_t in_flight = 0; !stop_;) {
            for (; in_flight < 4096; in_flight++)
                client_.post(command_);
            begun_ = true;
            while (client_.poll())
                in_flight--;
            if (in_flight > 2048) std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
    }

    TestClient client_;
    fc_command command_{};
    std::atomic<bool> stop_{false}, begun_{false};
    std::thread thread_;
};

// One worker, one client that measures, and a neighbour that floods it: with nops, then with the longest
// inline reads. Prints the ratios; what they are depends on the machine, and on who else has its cores.
TEST(FairnessTest, FloodingNeighbourIsBounded) {
    const TempDir dir;
    dir.write("file", std::string(64 << 10, 'x'));
    Engine engine{EngineConfig{.spin = std::chrono::milliseconds(1)}};
    DomainConfig config;
    config.shares.push_back({dir.path().string(), false});
    const auto domain = engine.create_domain(config);
    TestClient meter(*domain, {.channel_flags = FC_CHANNEL_TIMESTAMPS});
    constexpr int kCount = 2000;
    const auto at = [](const std::vector<double>& sorted, double q) {
        return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
    };
    for (const bool reads : {false, true}) {
        const std::vector<double> alone = measure(meter, kCount);
        const Flood flood(*domain, reads);
        const std::vector<double> beside = measure(meter, kCount);
        printf("beside a flood of %s: p50 %.1f -> %.1f us, p99 %.1f -> %.1f us, p99 ratio %.1f\n",
               reads ? "64 KiB reads" : "nops", at(alone, 0.5) / 1e3, at(beside, 0.5) / 1e3,
               at(alone, 0.99) / 1e3, at(beside, 0.99) / 1e3, at(beside, 0.99) / at(alone, 0.99));
        EXPECT_LT(at(beside, 0.5), 1e8) << "a tenth of a second for a nop: it starves";
    }
}

}  // namespace
}  // namespace farcall::test
