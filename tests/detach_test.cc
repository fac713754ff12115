// SPDX-License-Identifier: MIT
// What goes on when its client is gone, what does not, and that everything is let go of in the end.
#include <future>
#include <thread>

#include "tests/graph_client.h"

namespace farcall::test {
namespace {

class DetachTest : public ::testing::Test {
  protected:
    static constexpr uint64_t kBuffer = 64 << 10;

    DetachTest() {
        dir_.write("in", std::string(5000, 'a') + std::string(5000, 'b'));
        domain_ = make_domain({});
    }
    std::unique_ptr<Domain> make_domain(Limits limits) {
        DomainConfig config;
        config.shares.push_back({dir_.path().string(), true});
        config.limits = limits;
        return engine_.create_domain(config);
    }
    static uint32_t open(TestClient& client, const std::string& path, uint16_t flags) {
        memcpy(client.arena() + 512, path.data(), path.size());
        fc_command c = transfer(FC_OP_OPEN, 1, 0, flags & FC_OPEN_CREATE ? 0644 : 0, 512,
                                static_cast<uint32_t>(path.size()));
        c.op_flags = flags;
        const int handle = client.run(c).result;
        EXPECT_GT(handle, 0);
        return static_cast<uint32_t>(handle);
    }
    /// Reads all of "in" and writes it to "out", `ns` from now. The ID of the write.
    static uint64_t post_copy(TestClient& client, uint64_t ns, unsigned flags) {
        const uint32_t in = open(client, "in", FC_OPEN_READ);
        const uint32_t out = open(client, "out", FC_OPEN_WRITE | FC_OPEN_CREATE);
        const uint64_t start = client.new_id(), read = client.new_id(), written = client.new_id();
        client.post(flagged(with_id(timer(start, ns)), flags));
        fc_command c = with_id(after(transfer(FC_OP_READ, read, in, 0, kBuffer, 10000), start));
        c.result_var = 1;
        client.post(flagged(c, flags | FC_F_RESULT_STORE));
        c = with_id(after(transfer(FC_OP_WRITE, written, out, 0, kBuffer, 1), read));
        client.post(flagged(c, flags | FC_F_VAR_LENGTH));
        return written;
    }
    static std::future<ControlResult> destroy(Domain& domain, ClientId id) {
        return std::async(std::launch::async, [&domain, id] {
            return TestClient::call([&](ControlDone done) { domain.destroy_client(id, done); });
        });
    }
    static bool is_ready(std::future<ControlResult>& future, int ms) {
        return future.wait_for(std::chrono::milliseconds(ms)) == std::future_status::ready;
    }

    TempDir dir_;
    Engine engine_{EngineConfig{}};
    std::unique_ptr<Domain> domain_;
};

TEST_F(DetachTest, CopyChainGoesOnWhenTheClientIsGone) {
    TestClient client(*domain_);
    const uint64_t written = post_copy(client, 50000000, FC_F_DETACH);
    const uint32_t other = open(client, "other", FC_OPEN_WRITE | FC_OPEN_CREATE);
    client.post(after(transfer(FC_OP_WRITE, 1, other, 0, kBuffer, 100), written));
    EXPECT_EQ(client.destroy().status, 0);
    EXPECT_EQ(dir_.read("out"), dir_.read("in"));
    EXPECT_EQ(dir_.read("other"), "") << "this one was not detached";
    EXPECT_EQ(domain_->client_count(), 0u);
}

TEST_F(DetachTest, WithoutTheFlagNothingGoesOn) {
    TestClient client(*domain_);
    post_copy(client, kHourNs, 0);
    EXPECT_EQ(client.destroy().status, 0);
    EXPECT_EQ(dir_.read("out"), "");
}

// What is posted and not yet taken when the channel goes counts too.
TEST_F(DetachTest, CommandsStillInTheRingAreTaken) {
    for (int i = 0; i < 200; i++) {
        TestClient client(*domain_);
        const uint32_t out = open(client, "out", FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE);
        client.post(flagged(transfer(FC_OP_WRITE, 1, out, 0, kBuffer, 777), FC_F_DETACH));
        if (i % 2 == 0) {
            const ControlResult gone = TestClient::call(
                [&](ControlDone done) { domain_->destroy_channel(client.id(), client.channel(), done); });
            EXPECT_EQ(gone.status, 0);
        }
        client.destroy();
        ASSERT_EQ(dir_.read("out").size(), 777u) << i;
    }
}

TEST_F(DetachTest, OutlivesItsChannelWhileTheClientLives) {
    TestClient client(*domain_);
    const uint64_t written = post_copy(client, 20000000, FC_F_DETACH);
    const uint64_t plain = client.new_id();
    client.post(with_id(timer(plain, kHourNs)));
    client.run(nop(1));
    TestClient::call(
        [&](ControlDone done) { domain_->destroy_channel(client.id(), client.channel(), done); });
    client.add_channel();
    EXPECT_EQ(client.run(after(nop(2, 4), written)).result, 4);
    EXPECT_EQ(dir_.read("out"), dir_.read("in"));
    EXPECT_EQ(client.run(after(nop(3), plain)).result, -ECANCELED);
}

TEST_F(DetachTest, KeepsWhatItUsesAndLetsGoOfTheRest) {
    TestClient client(*domain_);
    std::shared_ptr<int> memory[3];
    uint32_t keys[3];
    for (int i = 0; i < 3; i++) {
        memory[i] = std::make_shared<int>(i);
        RegionConfig region{{{client.map(4096), 4096}}, FC_REGION_WRITE, memory[i]};
        keys[i] = static_cast<uint32_t>(TestClient::call([&](ControlDone done) {
                                            domain_->add_region(client.id(), region, done);
                                        }).value);
    }
    const uint64_t never = client.new_id();
    client.post(flagged(with_id(timer(never, kHourNs)), FC_F_DETACH));
    fc_command read = after(transfer(FC_OP_READ, 1, open(client, "in", FC_OPEN_READ), 0, 0, 10), never);
    read.region = keys[0];
    client.post(flagged(read, FC_F_DETACH));
    read.region = keys[1];
    client.post(read);
    client.run(nop(1));
    std::weak_ptr<int> kept = memory[0], unflagged = memory[1], unused = memory[2];
    for (auto& pointer : memory)
        pointer.reset();
    auto gone = destroy(*domain_, client.id());
    for (int i = 0; i < 5000 && !(unused.expired() && unflagged.expired()); i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_TRUE(unused.expired());
    EXPECT_TRUE(unflagged.expired());
    EXPECT_FALSE(kept.expired());
    EXPECT_FALSE(is_ready(gone, 0));
    EXPECT_EQ(domain_->client_count(), 1u) << "it still counts";
    EXPECT_EQ(TestClient::call([&](ControlDone done) { domain_->allocate_ids(client.id(), 1, done); }).status,
              -ENOENT);
    domain_->end_detached(client.id());
    EXPECT_TRUE(is_ready(gone, 20000));
    EXPECT_TRUE(kept.expired());
}

TEST_F(DetachTest, TimeIsLimited) {
    Limits limits;
    limits.max_detached = std::chrono::milliseconds(30);
    auto domain = make_domain(limits);
    TestClient client(*domain);
    client.post(flagged(timer(1, kHourNs), FC_F_DETACH));
    client.run(nop(1));
    EXPECT_EQ(client.destroy().status, 0);
}

// What clients leave behind takes places, so there are only so many: the oldest makes room, no other one
// does.
TEST_F(DetachTest, TheOldestMakesRoom) {
    Limits limits;
    limits.max_detached_clients = 2;
    auto domain = make_domain(limits);
    std::vector<std::unique_ptr<TestClient>> clients;
    std::vector<std::future<ControlResult>> gone;
    for (int i = 0; i < 5; i++) {
        clients.push_back(std::make_unique<TestClient>(*domain));
        clients.back()->post(flagged(timer(1, kHourNs), FC_F_DETACH));
        clients.back()->run(nop(1));
        gone.push_back(destroy(*domain, clients.back()->id()));
        if (i >= 2) {
            EXPECT_TRUE(is_ready(gone[static_cast<size_t>(i - 2)], 20000)) << i;
        }
        for (int kept = std::max(0, i - 1); kept <= i; kept++)
            EXPECT_FALSE(is_ready(gone[static_cast<size_t>(kept)], 10)) << kept << " after " << i;
    }
    EXPECT_EQ(domain->client_count(), 2u);
    // Those that leave nothing behind cost no place.
    TestClient plain(*domain);
    EXPECT_EQ(plain.destroy().status, 0);
    EXPECT_FALSE(is_ready(gone[3], 10));
    TestClient::call([&](ControlDone done) { domain->destroy_all(done); });
}

TEST_F(DetachTest, TheEndOfTheDomainEndsIt) {
    auto domain = make_domain({});
    TestClient client(*domain);
    client.post(flagged(timer(1, kHourNs), FC_F_DETACH));
    client.run(nop(1));
    auto gone = destroy(*domain, client.id());
    EXPECT_FALSE(is_ready(gone, 20));
    TestClient::call([&](ControlDone done) { domain->destroy_all(done); });
    EXPECT_TRUE(is_ready(gone, 20000));
    EXPECT_EQ(client.destroy().status, -ENOENT);
}

// IDs that nobody can post any more, and events that nobody can set any more, fail.
TEST_F(DetachTest, NothingWaitsForWhatCannotCome) {
    TestClient client(*domain_);
    const uint32_t out = open(client, "out", FC_OPEN_WRITE | FC_OPEN_CREATE);
    const uint64_t unposted = client.new_id(), user = client.new_id(), both = client.new_id();
    client.post(event_wait(user));
    client.post(flagged(after(transfer(FC_OP_WRITE, 1, out, 0, kBuffer, 100), unposted), FC_F_DETACH));
    client.post(flagged(after(transfer(FC_OP_WRITE, 2, out, 0, kBuffer, 200), user), FC_F_DETACH));
    client.post(
        flagged(with_id(after_all(client, nop(both), 4096, {user, unposted})), FC_F_DETACH | FC_F_ALWAYS));
    client.post(flagged(after(transfer(FC_OP_WRITE, 3, out, 0, kBuffer, 50), both), FC_F_DETACH));
    client.run(nop(1));
    EXPECT_EQ(client.destroy().status, 0);
    EXPECT_EQ(dir_.read("out").size(), 50u) << "only what runs whatever happens, and what waits for it";
}

TEST_F(DetachTest, EndlessCommandsCannotBeDetached) {
    TestClient client(*domain_);
    EXPECT_EQ(client.run(flagged(event_wait(client.new_id()), FC_F_DETACH)).result, -EINVAL);
    fc_command ticks = flagged(timer(1, 0), FC_F_DETACH | FC_F_MULTISHOT);
    ticks.buffer = 1000000;
    EXPECT_EQ(client.run(ticks).result, -EINVAL);
}

}  // namespace
}  // namespace farcall::test
