// SPDX-License-Identifier: MIT
// The contract of commands and events, against the real engine with real threads.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <thread>

#include "tests/test_client.h"

namespace farcall::test {
namespace {

constexpr uint64_t kPath = 512;  // arena offsets
constexpr uint64_t kBuffer = 8192;

class EngineTest : public ::testing::Test {
  protected:
    EngineTest() {
        dir_.write("one", "first file\n");
        dir_.write("two", "and the second\n");
        DomainConfig config;
        config.name = "test";
        config.shares.push_back({dir_.path().string(), true});
        config.shares.push_back({dir_.path().string(), false});
        domain_ = engine_.create_domain(config);
    }

    static fc_command open(TestClient& client, const std::string& path, uint16_t flags, uint32_t share = 0) {
        memcpy(client.arena() + kPath, path.data(), path.size());
        fc_command c = transfer(FC_OP_OPEN, 1, share, 0644, kPath, static_cast<uint32_t>(path.size()));
        c.op_flags = flags;
        return c;
    }
    static uint32_t must_open(TestClient& client, const std::string& path, uint16_t flags) {
        const fc_event event = client.run(open(client, path, flags));
        EXPECT_GE(event.result, static_cast<int>(FC_FIRST_HANDLE));
        return static_cast<uint32_t>(event.result);
    }

    TempDir dir_;
    Engine engine_{EngineConfig{.blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
};

TEST_F(EngineTest, NopCarriesItsWords) {
    TestClient client(*domain_);
    fc_command c = nop(0x1234567890abcdefull, 77);
    c.priority = 200;
    const fc_event event = client.run(c);
    EXPECT_EQ(event.id, 0x1234567890abcdefull);
    EXPECT_EQ(event.result, 77);
    EXPECT_EQ(event.priority, 200);
    EXPECT_EQ(event.flags, 0);
}

TEST_F(EngineTest, RingsWrapManyTimesWithoutLossOrOrderChange) {
    TestClient client(*domain_, {.command_slots = 8, .event_slots = 8});
    uint32_t posted = 0, seen = 0;
    while (seen < 20000) {
        while (posted < 20000 && posted - seen < 8)
            client.post(nop(posted++));
        ASSERT_EQ(client.wait().event.id, seen++);
    }
}

TEST_F(EngineTest, OpenReadWriteStatFsyncClose) {
    TestClient client(*domain_);
    const uint32_t in = must_open(client, "one", FC_OPEN_READ);
    EXPECT_EQ(client.run(transfer(FC_OP_READ, 2, in, 6, kBuffer, 100)).result, 5);
    EXPECT_EQ(memcmp(client.arena() + kBuffer, "file\n", 5), 0);
    EXPECT_EQ(client.run(transfer(FC_OP_READ, 2, in, FC_OFFSET_CURRENT, kBuffer, 5)).result, 5);
    EXPECT_EQ(memcmp(client.arena() + kBuffer, "first", 5), 0);

    const uint32_t out = must_open(client, "out", FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE);
    EXPECT_EQ(client.run(transfer(FC_OP_WRITE, 3, out, 2, kBuffer, 5)).result, 5);
    fc_command sync{};
    sync.opcode = FC_OP_FSYNC;
    sync.handle = out;
    EXPECT_EQ(client.run(sync).result, 0);
    EXPECT_EQ(client.run(transfer(FC_OP_STAT, 4, out, 0, kBuffer, sizeof(fc_stat))).result, 0);
    const auto* stat = reinterpret_cast<const fc_stat*>(client.arena() + kBuffer);
    EXPECT_EQ(stat->size, 7u);
    EXPECT_TRUE(S_ISREG(stat->mode));
    fc_command close{};
    close.opcode = FC_OP_CLOSE;
    close.handle = out;
    EXPECT_EQ(client.run(close).result, 0);
    EXPECT_EQ(client.run(close).result, -EBADF) << "a handle does not come back to life";
    EXPECT_EQ(dir_.read("out"), std::string("\0\0first", 7));
}

TEST_F(EngineTest, LargeTransfersRunElsewhereAndAreWhole) {
    TestClient client(*domain_);
    std::string text(700000, '\0');
    for (size_t i = 0; i < text.size(); i++)
        text[i] = static_cast<char>(i * 31 % 251);
    dir_.write("large", text);
    const uint32_t in = must_open(client, "large", FC_OPEN_READ);
    const fc_event event = client.run(transfer(FC_OP_READ, 2, in, 0, kBuffer, 800000));
    EXPECT_EQ(event.result, 700000);
    EXPECT_EQ(memcmp(client.arena() + kBuffer, text.data(), text.size()), 0);
    EXPECT_GT(engine_.stats().pool_jobs + engine_.stats().uring_jobs, 0u);
}

// Reads that go on where the one before ends become one system call; nobody must see that.
TEST_F(EngineTest, ReadsThatFollowEachOtherAreEachAsIfAlone) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    const auto upto = [&](uint32_t most) { return std::uniform_int_distribution<uint32_t>(0, most)(random); };
    std::string text(60000, '\0');
    for (char& c : text)
        c = static_cast<char>(random());
    dir_.write("runs", text);
    TestClient client(*domain_);
    const uint32_t in = must_open(client, "runs", FC_OPEN_READ);
    for (int round = 0; round < 200; round++) {
        std::vector<fc_command> reads;
        uint64_t offset = upto(70000);
        for (uint32_t i = 0; i < 40; i++) {
            if (upto(7) == 0) offset = upto(70000);
            fc_command c = transfer(FC_OP_READ, i, in, offset, kBuffer + i * 8192, upto(8192));
            if (upto(30) == 0) c.handle = 999;
            if (upto(30) == 0) c.buffer = TestClient::kArenaBytes - 1;
            if (upto(30) == 0) c.op_flags = 1;
            if (upto(5) == 0) c.flags = FC_F_QUIET;
            offset += c.length;
            reads.push_back(c);
        }
        memset(client.arena() + kBuffer, 0, 40 * 8192);
        for (const fc_command& c : reads)
            client.post(c);
        for (auto& [id, event] : client.collect(reads.size())) {
            const fc_command& c = reads[id];
            const uint64_t there = c.offset < text.size() ? text.size() - c.offset : 0;
            int expected = static_cast<int>(std::min<uint64_t>(c.length, there));
            if (c.buffer + c.length > TestClient::kArenaBytes) expected = -EFAULT;
            if (c.handle != in) expected = -EBADF;
            if (c.op_flags != 0) expected = -EINVAL;
            ASSERT_EQ(event.result, expected) << round << ": " << id;
            ASSERT_EQ(event.flags, c.flags == FC_F_QUIET ? FC_E_QUIET : 0u);
            if (expected <= 0) continue;
            const auto* got = reinterpret_cast<const char*>(client.arena() + c.buffer);
            ASSERT_EQ(std::string_view(got, c.length).substr(0, static_cast<size_t>(expected)),
                      std::string_view(text).substr(c.offset, static_cast<size_t>(expected)));
        }
    }
}

// A command behind reads sees what they did, and they do not see what it does.
TEST_F(EngineTest, ReadsKeepTheirPlaceAmongOtherCommands) {
    TestClient client(*domain_);
    dir_.write("order", std::string(8192, 'a'));
    const uint32_t file = must_open(client, "order", FC_OPEN_READ | FC_OPEN_WRITE);
    memset(client.arena() + 65536, 'b', 8192);
    client.post(transfer(FC_OP_READ, 0, file, 0, kBuffer, 4096));
    client.post(transfer(FC_OP_READ, 1, file, 4096, kBuffer + 4096, 4096));
    fc_command close{};
    close.opcode = FC_OP_CLOSE;
    close.handle = file;
    close.id = 2;
    client.post(close);
    client.post(transfer(FC_OP_READ, 3, file, 0, kBuffer, 4096));
    auto events = client.collect(4);
    EXPECT_EQ(events[0].result, 4096);
    EXPECT_EQ(events[1].result, 4096);
    EXPECT_EQ(events[2].result, 0);
    EXPECT_EQ(events[3].result, -EBADF);
}

// The seed's example: two files into one buffer, the second behind the first, and the whole written out, as
// one chain.
TEST_F(EngineTest, CatRunsAsOneChain) {
    TestClient client(*domain_);
    const uint32_t one = must_open(client, "one", FC_OPEN_READ);
    const uint32_t two = must_open(client, "two", FC_OPEN_READ);
    const uint32_t out = must_open(client, "cat", FC_OPEN_WRITE | FC_OPEN_CREATE);
    const uint64_t read1 = client.new_id(), read2 = client.new_id(), write = client.new_id();
    fc_command c1 = with_id(transfer(FC_OP_READ, read1, one, 0, kBuffer, 4096));
    c1.flags |= FC_F_RESULT_STORE | FC_F_QUIET;
    c1.result_var = 3;
    fc_command c2 = after(with_id(transfer(FC_OP_READ, read2, two, 0, 4, 4096)), read1);
    c2.flags |= FC_F_RESULT_ADD | FC_F_VAR_BUFFER | FC_F_QUIET;
    c2.result_var = 3;
    // The buffer operand of read 2 is kBuffer + bytes of read 1, so variable 4 starts at kBuffer and read 1
    // adds to it too.
    c1.flags = static_cast<uint16_t>((c1.flags & ~FC_F_RESULT_STORE) | FC_F_RESULT_ADD);
    client.variable(3) = kBuffer;
    c2.buffer = 3;
    fc_command sum = after(with_id(nop(client.new_id())), read2);
    fc_command c3 = after(with_id(transfer(FC_OP_WRITE, write, out, 0, kBuffer, 5)), sum.id);
    c3.flags |= FC_F_VAR_LENGTH;
    client.variable(5) = 26;
    for (const fc_command& c : {c3, sum, c2, c1})
        client.post(c);  // backwards: waits come before what they wait for
    const auto events = client.collect(4);
    EXPECT_EQ(events.at(read1).result, 11);
    EXPECT_EQ(events.at(read2).result, 15);
    EXPECT_EQ(events.at(write).result, 26);
    EXPECT_EQ(client.variable(3), kBuffer + 26);
    EXPECT_EQ(dir_.read("cat"), "first file\nand the second\n");
}

TEST_F(EngineTest, FailureStopsDependentsUnlessTheyAlwaysRun) {
    TestClient client(*domain_);
    const uint64_t bad = client.new_id(), stopped = client.new_id(), further = client.new_id(),
                   always = client.new_id();
    fc_command regardless = after(with_id(nop(always, 9)), bad);
    regardless.flags |= FC_F_ALWAYS;
    client.post(after(with_id(nop(further)), stopped));
    client.post(after(with_id(nop(stopped)), bad));
    client.post(regardless);
    client.post(with_id(transfer(FC_OP_READ, bad, 12345, 0, 0, 1)));
    auto events = client.collect(4);
    EXPECT_EQ(events[bad].result, -EBADF);
    EXPECT_EQ(events[stopped].result, -ECANCELED);
    EXPECT_EQ(events[further].result, -ECANCELED);
    EXPECT_EQ(events[always].result, 9);
    EXPECT_EQ(client.run(after(nop(1), bad)).result, -ECANCELED) << "a late wait sees the failure";
    EXPECT_EQ(client.run(after(nop(1), always)).result, 0) << "a late wait sees the success";
}

TEST_F(EngineTest, ShortReadStopsOnlyWhereAsked) {
    TestClient client(*domain_);
    const uint32_t in = must_open(client, "one", FC_OPEN_READ);
    for (const bool stop : {false, true}) {
        const uint64_t read = client.new_id();
        fc_command c = with_id(transfer(FC_OP_READ, read, in, 0, kBuffer, 100));
        if (stop) c.flags |= FC_F_SHORT_STOP;
        client.post(c);
        client.post(after(nop(7), read));
        auto events = client.collect(2);
        EXPECT_EQ(events[read].result, 11);
        EXPECT_EQ(events[read].flags & FC_E_SHORT, stop ? FC_E_SHORT : 0u);
        EXPECT_EQ(events[7].result, stop ? -ECANCELED : 0);
    }
}

TEST_F(EngineTest, WaitAnyNeedsOneSuccess) {
    TestClient client(*domain_);
    auto* ids = reinterpret_cast<uint64_t*>(client.arena() + 4096);
    for (int i = 0; i < 3; i++)
        ids[i] = client.new_id();
    fc_command any = nop(1, 5);
    any.flags = FC_F_WAIT_ANY;
    any.wait_count = 3;
    any.wait = 4096;
    client.post(any);
    client.post(with_id(transfer(FC_OP_READ, ids[0], 999, 0, 0, 1)));
    EXPECT_EQ(client.wait().event.result, -EBADF);
    client.post(with_id(nop(ids[1])));
    auto events = client.collect(2);
    EXPECT_EQ(events[1].result, 5);
}

TEST_F(EngineTest, UserEventsAndCancel) {
    TestClient client(*domain_);
    const uint64_t user = client.new_id(), parked = client.new_id(), timer = client.new_id();
    fc_command wait{};
    wait.opcode = FC_OP_EVENT_WAIT;
    wait.flags = FC_F_ID;
    wait.id = user;
    client.post(wait);
    client.post(after(with_id(nop(parked, 3)), user));
    fc_command set{};
    set.opcode = FC_OP_EVENT_SET;
    set.id = 42;
    set.offset = user;
    set.length = 11;
    client.post(set);
    auto events = client.collect(3);
    EXPECT_EQ(events[user].result, 11);
    EXPECT_EQ(events[parked].result, 3);
    EXPECT_EQ(events[42].result, 0);
    EXPECT_EQ(client.run(set).result, -ENOENT) << "only once";

    fc_command far{};
    far.opcode = FC_OP_TIMER;
    far.flags = FC_F_ID;
    far.id = timer;
    far.offset = 3600ull * 1000000000;
    client.post(far);
    fc_command cancel{};
    cancel.opcode = FC_OP_CANCEL;
    cancel.id = 43;
    cancel.offset = timer;
    client.post(cancel);
    events = client.collect(2);
    EXPECT_EQ(events[timer].result, -ECANCELED);
    EXPECT_EQ(events[43].result, 0);
    EXPECT_EQ(client.run(cancel).result, -ENOENT);
}

TEST_F(EngineTest, TimersFireInOrderAndNotEarly) {
    TestClient client(*domain_);
    const auto start = std::chrono::steady_clock::now();
    for (const uint64_t ms : {30, 10, 20}) {
        fc_command c{};
        c.opcode = FC_OP_TIMER;
        c.id = ms;
        c.offset = ms * 1000000;
        client.post(c);
    }
    for (const uint64_t ms : {10, 20, 30}) {
        EXPECT_EQ(client.wait().event.id, ms);
        EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(ms));
    }
}

TEST_F(EngineTest, TimestampsSplitALatency) {
    TestClient client(*domain_, {.channel_flags = FC_CHANNEL_TIMESTAMPS});
    fc_command c{};
    c.opcode = FC_OP_TIMER;
    c.offset = 5000000;
    client.post(c);
    const fc_event_ts event = client.wait();
    EXPECT_GT(event.picked_up, 0u);
    EXPECT_LT(event.started_after, event.completed_after);
    EXPECT_GE(event.completed_after, 5000000u);
}

TEST_F(EngineTest, IdleWorkerSleepsAndTheDoorbellWakesIt) {
    TestClient client(*domain_);
    for (int i = 0; i < 50; i++) {
        const uint64_t sleeps = engine_.stats().sleeps;
        for (int ms = 0; ms < 5000 && engine_.stats().sleeps == sleeps; ms++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            if (fc_load_relaxed(&client.header()->worker_armed)) break;
        }
        ASSERT_EQ(client.run(nop(1, 1)).result, 1);
    }
    EXPECT_GT(client.doorbells, 0u) << "the worker never armed";
}

// One doorbell for all of them, which does not say whose channel has news.
TEST_F(EngineTest, AnyOfManyIdleChannelsIsHeard) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 100; i++)
        clients.push_back(std::make_unique<TestClient>(*domain_));
    for (int round = 0; round < 300; round++) {
        if (round % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        // Several at once, and now and then one goes while others ring.
        for (int i = 0; i < 3; i++)
            clients[random() % clients.size()]->post(nop(static_cast<uint64_t>(round)));
        if (round % 30 == 29) clients.erase(clients.begin() + static_cast<int>(random() % clients.size()));
        for (const auto& client : clients)
            while (client->completed() != client->tail())
                ASSERT_TRUE(client->next()) << round << ": " << client->describe();
    }
}

// A worker that stops polling at the moment in which the doorbell rings, many times over.
TEST_F(EngineTest, DoorbellIsHeardWhateverTheWorkerDoesJustThen) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    TestClient client(*domain_);
    TestClient other(*domain_);
    for (uint64_t round = 0; round < 20000; round++) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(random() % 60000);
        while (std::chrono::steady_clock::now() < until) {
        }
        TestClient& one = random() % 4 ? client : other;
        one.post(nop(round));
        ASSERT_TRUE(one.next()) << round << ": " << one.describe();
    }
}

TEST_F(EngineTest, InterruptOnlyWhenArmedAndNotForQuietEvents) {
    TestClient client(*domain_);
    auto raised = [&](int ms) {
        pollfd fd{client.interrupt_fd(), POLLIN, 0};
        if (::poll(&fd, 1, ms) != 1) return false;
        uint64_t count;
        return read(client.interrupt_fd(), &count, sizeof(count)) == 8;
    };
    client.run(nop(1));
    EXPECT_FALSE(raised(20)) << "nobody asked";
    fc_arm(&client.header()->client_armed);
    fc_command quiet = nop(2);
    quiet.flags = FC_F_QUIET;
    EXPECT_EQ(client.run(quiet).flags, FC_E_QUIET);
    EXPECT_FALSE(raised(20)) << "quiet";
    client.run(nop(3));
    EXPECT_TRUE(raised(5000));
    EXPECT_EQ(client.header()->client_armed, 0u);
}

TEST_F(EngineTest, ReadOnlyShareRefusesChanges) {
    TestClient client(*domain_);
    EXPECT_EQ(client.run(open(client, "new", FC_OPEN_WRITE | FC_OPEN_CREATE, 1)).result, -EROFS);
    EXPECT_EQ(client.run(open(client, "one", FC_OPEN_WRITE, 1)).result, -EROFS);
    EXPECT_GT(client.run(open(client, "one", FC_OPEN_READ, 1)).result, 0);
}

TEST_F(EngineTest, ClientDestroyedWithCommandsInFlight) {
    TestClient client(*domain_);
    fc_command timer{};
    timer.opcode = FC_OP_TIMER;
    timer.offset = 3600ull * 1000000000;
    for (int i = 0; i < 20; i++)
        client.post(timer);
    dir_.write("large", std::string(900000, 'x'));
    const uint32_t in = must_open(client, "large", FC_OPEN_READ);
    for (int i = 0; i < 20; i++)
        client.post(transfer(FC_OP_READ, 1, in, 0, kBuffer, 900000));
    EXPECT_EQ(client.destroy().status, 0);
    EXPECT_EQ(client.header()->status, static_cast<uint32_t>(FC_CHANNEL_CLOSED));
    EXPECT_EQ(domain_->client_count(), 0u);
}

TEST_F(EngineTest, EventIdsAreUsedOnce) {
    TestClient client(*domain_);
    const uint64_t id = client.new_id();
    EXPECT_EQ(client.run(with_id(nop(id))).result, 0);
    const fc_event again = client.run(with_id(nop(id)));
    EXPECT_EQ(again.result, -EEXIST);
    EXPECT_EQ(again.flags & FC_E_ID, 0u);
}

// What a due timer releases must run even when it falls due in the moment in which the worker goes to sleep.
TEST_F(EngineTest, TimerReleasesItsDependentsAtAnyMoment) {
    Engine engine{EngineConfig{.spin = std::chrono::microseconds(2)}};
    auto domain = engine.create_domain({});
    TestClient client(*domain);
    for (uint64_t i = 0; i < 4000; i++) {
        fc_command timer{};
        timer.opcode = FC_OP_TIMER;
        timer.flags = FC_F_ID;
        timer.id = client.new_id();
        timer.offset = 1000 + i % 20000;
        client.post(timer);
        client.post(after(nop(i), timer.id));
        ASSERT_TRUE(client.next() && client.next()) << i << ": " << client.describe();
    }
}

// Blocks with failures are given back too, and the failure stays known.
TEST_F(EngineTest, BlocksWithFailuresAreForgottenButStayFailed) {
    DomainConfig config;
    config.limits.max_id_blocks = 2;
    auto domain = engine_.create_domain(config);
    TestClient client(*domain, {.command_slots = 1024, .event_slots = 1024});
    uint64_t failed = 0;
    for (int block = 0; block < 4; block++) {
        const ControlResult ids =
            TestClient::call([&](ControlDone done) { domain->allocate_ids(client.id(), FC_ID_BLOCK, done); });
        ASSERT_EQ(ids.status, 0) << block;
        if (failed == 0) failed = ids.value;
        for (uint32_t i = 0; i < FC_ID_BLOCK; i += 512) {
            for (uint32_t j = 0; j < 512; j++) {
                fc_command c = with_id(nop(ids.value + i + j));
                if (i + j == 0) c.handle = 1;  // a field that nop does not use
                client.post(c);
            }
            for (uint32_t j = 0; j < 512; j++)
                client.wait();
        }
    }
    EXPECT_EQ(client.run(after(nop(1), failed)).result, -ECANCELED);
    EXPECT_EQ(client.run(after(nop(1), failed + 1)).result, 0);
}

// More IDs than the limit of live blocks: finished blocks must be given back.
TEST_F(EngineTest, FinishedIdBlocksAreForgottenButStayDone) {
    DomainConfig config;
    config.limits.max_id_blocks = 2;
    auto domain = engine_.create_domain(config);
    TestClient client(*domain, {.command_slots = 1024, .event_slots = 1024});
    uint64_t first_of_all = 0;
    for (int block = 0; block < 5; block++) {
        const ControlResult ids =
            TestClient::call([&](ControlDone done) { domain->allocate_ids(client.id(), FC_ID_BLOCK, done); });
        ASSERT_EQ(ids.status, 0) << block;
        if (block == 0) first_of_all = ids.value;
        for (uint32_t i = 0; i < FC_ID_BLOCK; i += 512) {
            for (uint32_t j = 0; j < 512; j++)
                client.post(with_id(nop(ids.value + i + j)));
            for (uint32_t j = 0; j < 512; j++)
                ASSERT_EQ(client.wait().event.result, 0);
        }
    }
    EXPECT_EQ(client.run(after(nop(1, 4), first_of_all)).result, 4);
    EXPECT_EQ(client.run(with_id(nop(first_of_all))).result, -EEXIST);
}

}  // namespace
}  // namespace farcall::test
