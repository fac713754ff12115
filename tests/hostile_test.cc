// SPDX-License-Identifier: MIT
// What a hostile client can write into its rings and control requests: the right errno, or its one channel
// poisoned, and everybody else goes on.
#include <fcntl.h>
#include <sys/stat.h>

#include <random>
#include <thread>

#include "tests/test_client.h"

namespace farcall::test {
namespace {

class HostileTest : public ::testing::Test {
  protected:
    HostileTest() {
        std::filesystem::create_directory(dir_.path() / "share");
        std::filesystem::create_directory(dir_.path() / "share" / "sub");
        dir_.write("secret", "outside");
        dir_.write("share/inside", "inside");
        std::filesystem::create_symlink("../secret", dir_.path() / "share" / "relative");
        std::filesystem::create_symlink(dir_.path() / "secret", dir_.path() / "share" / "absolute");
        std::filesystem::create_symlink("inside", dir_.path() / "share" / "harmless");
        EXPECT_EQ(mkfifo((dir_.path() / "share" / "fifo").c_str(), 0600), 0);
        DomainConfig config;
        config.shares.push_back({(dir_.path() / "share").string(), true});
        domain_ = engine_.create_domain(config);
        bystander_ = std::make_unique<TestClient>(*domain_);
    }
    ~HostileTest() override {
        EXPECT_EQ(bystander_->run(nop(1, 1)).result, 1) << "another client no longer gets service";
        bystander_.reset();
    }

    int open(TestClient& client, const std::string& path, uint16_t flags = FC_OPEN_READ) {
        memcpy(client.arena() + 512, path.data(), path.size());
        fc_command c = transfer(FC_OP_OPEN, 1, 0, 0644, 512, static_cast<uint32_t>(path.size()));
        c.op_flags = flags;
        return client.run(c).result;
    }
    static void expect_status(TestClient& client, fc_channel_status status) {
        for (int i = 0; i < 5000 && fc_load_acquire(&client.header()->status) == FC_CHANNEL_OK; i++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        EXPECT_EQ(fc_load_acquire(&client.header()->status), static_cast<uint32_t>(status));
    }

    // Close enough to a real command to come past the first checks now and then; never one that waits for
    // ever.
    static fc_command random_command(std::mt19937_64& random, TestClient& client) {
        const auto any = [&](std::initializer_list<uint64_t> often) -> uint64_t {
            const size_t pick = random() % (often.size() + 1);
            return pick == often.size() ? random() >> (random() % 64) : often.begin()[pick];
        };
        fc_command c{};
        c.opcode = static_cast<uint8_t>(random() % (FC_OP_COUNT + 1));
        if (c.opcode == FC_OP_TIMER || c.opcode == FC_OP_EVENT_WAIT || c.opcode == FC_OP_SERVE)
            c.opcode = FC_OP_NOP;
        c.priority = static_cast<uint8_t>(random());
        for (int i = 0; i < 2; i++)
            c.flags |= static_cast<uint16_t>(random() % 3 == 0 ? 1u << (random() % 12) : 0);
        c.id = c.flags & FC_F_ID ? client.new_id() : random();
        if (random() % 20 == 0) c.id = random();
        const bool memory = c.opcode >= FC_OP_OPEN && c.opcode <= FC_OP_STAT;
        if (memory) c.handle = static_cast<uint32_t>(any({0, 0, 16, 1u << 16, 1u << 16, 0x10001}));
        if (memory && c.opcode != FC_OP_CLOSE) {
            c.buffer = any({0, 512, 4096, TestClient::kArenaBytes - 1});
            c.length = static_cast<uint32_t>(any({0, 1, 6, 80, 100000}));
            c.offset = any({0, 1, FC_OFFSET_CURRENT});
            c.op_flags = static_cast<uint16_t>(c.opcode == FC_OP_OPEN ? random() % 256 : 0);
        }
        if (c.opcode == FC_OP_EVENT_SET || c.opcode == FC_OP_CANCEL)
            c.offset = any({c.id, client.new_id(), 0});
        if (c.opcode == FC_OP_CANCEL && random() % 4 == 0) {
            c.op_flags = static_cast<uint16_t>(any({FC_CANCEL_HANDLE, FC_CANCEL_ALL, 3}));
            c.offset = any({0, 0, 0, 1});
            c.handle = static_cast<uint32_t>(any({0, 16, 1u << 16}));
        }
        if (c.opcode == FC_OP_EVENT_SHARE) {
            c.offset = any({client.new_id(), c.id, 0});
            c.buffer = any({1, FC_ID_BLOCK, ~0ull});
            c.length = static_cast<uint32_t>(any({0, 1, 2, 0xffffff}));
        }
        if (random() % 6 == 0) c.deadline = static_cast<uint32_t>(any({1, 1000, ~0u}));
        if (random() % 8 == 0) c.flags |= random() % 2 == 0 ? FC_F_CHAIN_DEADLINE : FC_F_DETACH;
        if (random() % 4 == 0) c.wait_count = static_cast<uint16_t>(any({1, 2, 256}));
        if (c.wait_count != 0) c.wait = any({0, 8, c.id, TestClient::kArenaBytes - 8});
        return c;
    }

    TempDir dir_;
    Engine engine_{EngineConfig{.blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
    std::unique_ptr<TestClient> bystander_;
};

TEST_F(HostileTest, TailFarAheadPoisonsTheChannel) {
    TestClient client(*domain_);
    client.run(nop(1));
    fc_store_relaxed(&client.header()->command_tail, client.tail() + 65);
    client.ring();
    expect_status(client, FC_CHANNEL_BAD_TAIL);
    EXPECT_EQ(engine_.stats().poisoned, 1u);
}

// A client that is preempted between a command's seq and its tail is no liar.
TEST_F(HostileTest, TailThatLagsBehindIsNoOffence) {
    TestClient client(*domain_);
    for (uint32_t lag = 1; lag <= 64; lag++)
        client.run(nop(1));
    fc_store_relaxed(&client.header()->command_tail, client.tail() - 64);
    const uint64_t sleeps = engine_.stats().sleeps;
    client.ring();
    for (int i = 0; i < 5000 && engine_.stats().sleeps == sleeps; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(client.run(nop(1, 3)).result, 3);
    EXPECT_EQ(client.header()->status, static_cast<uint32_t>(FC_CHANNEL_OK));
}

TEST_F(HostileTest, EventHeadAheadPoisonsTheChannel) {
    TestClient client(*domain_, {.command_slots = 64, .event_slots = 8});
    fc_store_relaxed(&client.header()->event_head, 1000u);
    for (int i = 0; i < 9; i++)
        client.post(nop(1));
    expect_status(client, FC_CHANNEL_BAD_EVENT_HEAD);
}

TEST_F(HostileTest, EventsNobodyReadsStopTheChannelAndLoseNothing) {
    TestClient client(*domain_, {.command_slots = 64, .event_slots = 8});
    for (uint64_t i = 0; i < 20; i++)
        client.post(nop(i));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (uint64_t i = 0; i < 20; i++) {
        ASSERT_EQ(client.wait().event.id, i);
        client.ring();
    }
}

TEST_F(HostileTest, UnknownOpFlagAndFieldAreRefused) {
    TestClient client(*domain_);
    fc_command c = nop(5);
    c.opcode = FC_OP_COUNT;
    EXPECT_EQ(client.run(c).result, -EOPNOTSUPP);
    c.opcode = 255;
    EXPECT_EQ(client.run(c).result, -EOPNOTSUPP);
    for (uint32_t bit = 0; bit < 16; bit++) {
        c = nop(5);
        c.flags = static_cast<uint16_t>(1u << bit);
        if (c.flags & FC_F_ALL) continue;
        EXPECT_EQ(client.run(c).result, -EINVAL) << "flag bit " << bit;
    }
    c = nop(5);
    c.region = 1;
    EXPECT_EQ(client.run(c).result, -EINVAL);
    c = nop(5);
    c.offset = 1;
    EXPECT_EQ(client.run(c).result, -EINVAL) << "a field that nop does not use";
    c = nop(5);
    c.wait = 1;
    EXPECT_EQ(client.run(c).result, -EINVAL) << "a wait list of no length";
    c = nop(5);
    c.wait_count = FC_MAX_WAITS + 1;
    EXPECT_EQ(client.run(c).result, -EINVAL);
    c = transfer(FC_OP_OPEN, 1, 0, 0, 0, 1);
    c.op_flags = 0x8001;
    EXPECT_EQ(client.run(c).result, -EINVAL);
}

TEST_F(HostileTest, RegionsAreChecked) {
    TestClient client(*domain_);
    const int handle = open(client, "inside");
    ASSERT_GT(handle, 0);
    fc_command c = transfer(FC_OP_READ, 1, static_cast<uint32_t>(handle), 0, TestClient::kArenaBytes, 1);
    EXPECT_EQ(client.run(c).result, -EFAULT);
    c.buffer = TestClient::kArenaBytes - 3;
    c.length = 4;
    EXPECT_EQ(client.run(c).result, -EFAULT);
    c.buffer = ~0ull - 1;
    EXPECT_EQ(client.run(c).result, -EFAULT) << "buffer + length wraps";
    c.buffer = 0;
    for (const uint32_t key : {1u, 0x10000u, 0xffffffffu}) {
        c.region = key;
        EXPECT_EQ(client.run(c).result, -EIDRM) << key;
    }
}

TEST_F(HostileTest, RegionKeysDoNotComeBack) {
    TestClient client(*domain_);
    RegionConfig region{{{client.map(4096), 4096}}, FC_REGION_WRITE, nullptr};
    const auto add = [&] {
        return TestClient::call([&](ControlDone done) { domain_->add_region(client.id(), region, done); });
    };
    const ControlResult first = add();
    ASSERT_EQ(first.status, 0);
    const auto remove = [&](uint64_t key) {
        return TestClient::call(
            [&](ControlDone done) { domain_->remove_region(client.id(), static_cast<uint32_t>(key), done); });
    };
    EXPECT_EQ(remove(first.value).status, 0);
    EXPECT_EQ(remove(first.value).status, -ENOENT);
    const ControlResult second = add();
    ASSERT_EQ(second.status, 0);
    EXPECT_NE(first.value, second.value);
    EXPECT_EQ(remove(0).status, -EBUSY) << "the arena";
    EXPECT_EQ(add().status, 0);
    region.flags = FC_REGION_ARENA | FC_REGION_WRITE;
    EXPECT_EQ(add().status, -EEXIST);
}

TEST_F(HostileTest, ReadOnlyRegionIsNotWrittenTo) {
    TestClient client(*domain_);
    RegionConfig region{{{client.map(4096), 4096}}, 0, nullptr};
    const ControlResult added =
        TestClient::call([&](ControlDone done) { domain_->add_region(client.id(), region, done); });
    const int handle = open(client, "inside");
    fc_command c = transfer(FC_OP_READ, 1, static_cast<uint32_t>(handle), 0, 0, 4);
    c.region = static_cast<uint32_t>(added.value);
    EXPECT_EQ(client.run(c).result, -EACCES);
}

TEST_F(HostileTest, VariablesAreChecked) {
    TestClient client(*domain_);
    fc_command c = nop(1);
    c.flags = FC_F_RESULT_STORE;
    c.result_var = TestClient::kArenaBytes / 8;
    EXPECT_EQ(client.run(c).result, -EFAULT);
    c.result_var = 0xffffffff;
    EXPECT_EQ(client.run(c).result, -EFAULT);
    c.flags = FC_F_RESULT_STORE | FC_F_RESULT_ADD;
    c.result_var = 0;
    EXPECT_EQ(client.run(c).result, -EINVAL);
    c = nop(1, TestClient::kArenaBytes / 8);
    c.flags = FC_F_VAR_LENGTH;
    EXPECT_EQ(client.run(c).result, -EFAULT);
    client.variable(0) = 1ull << 40;
    c.length = 0;
    EXPECT_EQ(client.run(c).result, -EINVAL) << "a length beyond any transfer";
}

TEST_F(HostileTest, ForeignAndInventedEventIds) {
    TestClient client(*domain_);
    TestClient other(*domain_);
    const uint64_t theirs = other.new_id();
    EXPECT_EQ(client.run(with_id(nop(theirs))).result, -EPERM);
    EXPECT_EQ(client.run(after(nop(1), theirs)).result, -EPERM);
    const uint64_t invented = (static_cast<uint64_t>(client.serial()) << FC_ID_BITS) + FC_ID_NUMBER_MASK;
    EXPECT_EQ(client.run(with_id(nop(invented))).result, -EINVAL);
    EXPECT_EQ(client.run(with_id(nop(0))).result, -EPERM);
    for (const uint8_t op : {FC_OP_CANCEL, FC_OP_EVENT_SET}) {
        fc_command c{};
        c.opcode = op;
        c.offset = theirs;
        EXPECT_EQ(client.run(c).result, -EPERM);
    }
    EXPECT_EQ(other.run(with_id(nop(theirs))).result, 0) << "its owner can still use it";
}

TEST_F(HostileTest, WaitsOnItselfAndCyclesAreRefused) {
    TestClient client(*domain_);
    const uint64_t self = client.new_id();
    EXPECT_EQ(client.run(after(with_id(nop(self)), self)).result, -EDEADLK);

    const uint64_t a = client.new_id(), b = client.new_id(), c = client.new_id();
    client.post(after(with_id(nop(a)), b));
    client.post(after(with_id(nop(b)), c));
    client.post(after(with_id(nop(c)), a));
    auto events = client.collect(3);
    EXPECT_EQ(events[c].result, -EDEADLK) << "the one that closes the cycle";
    EXPECT_EQ(events[b].result, -ECANCELED);
    EXPECT_EQ(events[a].result, -ECANCELED);
}

TEST_F(HostileTest, WaitListOutsideTheArena) {
    TestClient client(*domain_);
    fc_command c = nop(1);
    c.wait_count = 2;
    for (const uint64_t at : std::initializer_list<uint64_t>{TestClient::kArenaBytes - 8, ~0ull - 7, 4}) {
        c.wait = at;
        EXPECT_EQ(client.run(c).result, -EFAULT) << at;
    }
}

TEST_F(HostileTest, PathsStayInTheShare) {
    TestClient client(*domain_);
    EXPECT_GT(open(client, "inside"), 0);
    EXPECT_GT(open(client, "sub/../inside"), 0);
    EXPECT_GT(open(client, "harmless"), 0);
    EXPECT_EQ(open(client, "../secret"), -EXDEV);
    EXPECT_EQ(open(client, "sub/../../secret"), -EXDEV);
    EXPECT_EQ(open(client, "relative"), -EXDEV);
    EXPECT_EQ(open(client, "absolute"), -EXDEV);
    EXPECT_EQ(open(client, "/etc/passwd"), -EXDEV);
    EXPECT_EQ(open(client, "../created", FC_OPEN_WRITE | FC_OPEN_CREATE), -EXDEV);
    EXPECT_EQ(open(client, "relative", FC_OPEN_WRITE | FC_OPEN_CREATE), -EXDEV);
    EXPECT_EQ(open(client, "fifo"), -EPERM);
    EXPECT_EQ(open(client, "harmless", FC_OPEN_READ | FC_OPEN_NOFOLLOW), -ELOOP);
    EXPECT_EQ(open(client, std::string("inside\0x", 8)), -EINVAL);
    EXPECT_EQ(open(client, std::string(FC_MAX_PATH, 'a')), -ENAMETOOLONG);
    EXPECT_EQ(open(client, ""), -ENOENT);
    EXPECT_FALSE(std::filesystem::exists(dir_.path() / "created"));
}

TEST_F(HostileTest, ControlRequestsAreChecked) {
    const auto create = [&](ClientId id, ChannelConfig config) {
        return TestClient::call([&](ControlDone done) { domain_->create_channel(id, config, done); }).status;
    };
    TestClient client(*domain_);
    ChannelConfig config;
    config.memory = client.map(1 << 20);
    config.bytes = 1 << 20;
    config.command_slots = config.event_slots = 64;
    EXPECT_EQ(create(client.id() + 1000, config), -ENOENT);
    ChannelConfig bad = config;
    bad.command_slots = 63;
    EXPECT_EQ(create(client.id(), bad), -EINVAL);
    bad.command_slots = 1u << 31;
    EXPECT_EQ(create(client.id(), bad), -EINVAL);
    bad = config;
    bad.bytes = 4096;
    EXPECT_EQ(create(client.id(), bad), -EINVAL);
    bad = config;
    bad.flags = 0x80;
    EXPECT_EQ(create(client.id(), bad), -EINVAL);
    bad = config;
    bad.memory += 64;
    EXPECT_EQ(create(client.id(), bad), -EFAULT);
    const auto ids = [&](uint64_t n) {
        return TestClient::call([&](ControlDone done) { domain_->allocate_ids(client.id(), n, done); })
            .status;
    };
    EXPECT_EQ(ids(0), -EINVAL);
    EXPECT_EQ(ids(~0ull), -EINVAL);
    EXPECT_EQ(
        TestClient::call([&](ControlDone done) { domain_->create_client({.flags = 0x80}, done); }).status,
        -EINVAL);
}

// What belongs to a feature is there only for who has accepted it.
TEST_F(HostileTest, FeaturesThatWereNotAcceptedAreRefused) {
    TestClient client(*domain_, {.features = 0});
    const uint64_t over = client.new_id();
    EXPECT_EQ(client.run(with_id(nop(over))).result, 0);
    fc_command any = after(nop(1), over);
    EXPECT_EQ(client.run(any).result, 0);
    any.flags |= FC_F_WAIT_ANY;
    EXPECT_EQ(client.run(any).result, -EINVAL);
    const uint64_t refused = client.new_id();
    any = with_id(nop(refused));
    any.flags |= FC_F_WAIT_ANY;
    EXPECT_EQ(client.run(any).result, -EINVAL);
    EXPECT_EQ(client.run(after(nop(2), refused)).result, -ECANCELED) << "its ID is settled";
    ChannelConfig config;
    config.memory = client.map(1 << 20);
    config.bytes = 1 << 20;
    config.command_slots = config.event_slots = 8;
    const auto create = [&] {
        return TestClient::call(
            [&](ControlDone done) { domain_->create_channel(client.id(), config, done); });
    };
    config.flags = FC_CHANNEL_TIMESTAMPS;
    EXPECT_EQ(create().status, -EINVAL);
    config.flags = 0;
    EXPECT_EQ(create().status, 0);
}

// Random bytes for commands, many times: every accepted command still gets exactly one event.
TEST_F(HostileTest, RandomCommandsEachGetOneEvent) {
    const uint32_t seed = test_seed();
    std::mt19937_64 random(seed);
    SCOPED_TRACE("seed " + std::to_string(seed));
    TestClient client(*domain_, {.command_slots = 256, .event_slots = 1024});
    memcpy(client.arena(), "inside", 6);
    for (int round = 0; round < 200; round++) {
        size_t parked = 0;
        for (int i = 0; i < 50; i++) {
            client.post(random_command(random, client));
            parked++;
        }
        for (size_t i = 0; i < parked; i++)
            ASSERT_TRUE(client.next()) << client.describe();
    }
}

}  // namespace
}  // namespace farcall::test
