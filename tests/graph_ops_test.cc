// SPDX-License-Identifier: MIT
// Deadlines, periodic timers, the kinds of cancel, and what bounds a graph.
#include <algorithm>
#include <thread>

#include "host-lib/job_state.h"
#include "tests/graph_client.h"

namespace farcall::test {
namespace {

class GraphOpsTest : public ::testing::Test {
  protected:
    Engine engine_{EngineConfig{}};
    std::unique_ptr<Domain> domain_ = engine_.create_domain({});
};

constexpr uint32_t kSoon = 20000;        ///< us
constexpr uint32_t kNever = 4000000000;  ///< us: more than an hour

TEST_F(GraphOpsTest, DeadlineEndsWhateverWaits) {
    TestClient client(*domain_);
    const uint64_t never = client.new_id(), user = client.new_id(), parked = client.new_id(),
                   long_timer = client.new_id(), periodic = client.new_id();
    client.post(by(event_wait(user), kSoon));
    client.post(by(with_id(after(nop(parked), never)), kSoon));
    client.post(by(with_id(timer(long_timer, kHourNs)), kSoon));
    fc_command ticks = flagged(with_id(timer(periodic, kHourNs)), FC_F_MULTISHOT);
    ticks.buffer = kHourNs;
    client.post(by(ticks, kSoon));
    client.post(after(nop(1), user));
    client.post(flagged(after(nop(2, 5), parked), FC_F_ALWAYS));
    auto events = client.collect(6);
    for (const uint64_t id : {user, parked, long_timer, periodic})
        EXPECT_EQ(events.at(id).result, -ETIMEDOUT);
    EXPECT_EQ(events[1].result, -ECANCELED);
    EXPECT_EQ(events[2].result, 5);
    EXPECT_EQ(client.run(event_set(3, user)).result, -ENOENT) << "it is over";
}

TEST_F(GraphOpsTest, DeadlineThatIsFarAwayChangesNothing) {
    TestClient client(*domain_);
    const uint64_t user = client.new_id();
    EXPECT_EQ(client.run(by(nop(1, 4), kNever)).result, 4);
    client.post(by(event_wait(user), kNever));
    client.post(by(after(nop(2, 6), user), kNever));
    client.post(event_set(3, user, 9));
    auto events = client.collect(3);
    EXPECT_EQ(events[user].result, 9);
    EXPECT_EQ(events[2].result, 6);
    for (int i = 0; i < 2000; i++) {  // more than a queue that only forgets when they are due would like
        client.post(by(event_wait(client.new_id()), kNever));
        client.post(event_set(1, client.new_id() - 1));
        client.wait();
        client.wait();
    }
}

// A deadline for a chain: first is over at once, and yet those behind it have to be over in time, posted
// before or after; but for what cleans up.
TEST_F(GraphOpsTest, ChainDeadlineReachesAllThatWait) {
    TestClient client(*domain_);
    const uint64_t first = client.new_id(), second = client.new_id(), early = client.new_id(),
                   late = client.new_id(), clean = client.new_id(), own = client.new_id();
    client.post(after(event_wait(early), second));
    client.post(with_id(after(nop(second), first)));
    client.post(by(with_id(nop(first)), 5 * kSoon, FC_F_CHAIN_DEADLINE));
    EXPECT_EQ(client.collect(2).size(), 2u);
    client.post(after(event_wait(late), second));
    client.post(flagged(after(event_wait(clean), second), FC_F_ALWAYS));
    client.post(by(after(event_wait(own), second), kSoon / 10));
    client.post(after(nop(7), late));
    auto events = client.collect(4);
    for (const uint64_t id : {early, late, own})
        EXPECT_EQ(events.at(id).result, -ETIMEDOUT);
    EXPECT_EQ(events[7].result, -ETIMEDOUT);
    client.post(event_set(1, clean, 2));
    EXPECT_EQ(client.collect(2).at(clean).result, 2) << "the clean-up was still there";
    const uint64_t after_it = client.new_id();
    client.post(after(event_wait(after_it), second));
    client.post(event_set(1, after_it, 3));
    EXPECT_EQ(client.collect(2).at(after_it).result, 3)
        << "the deadline has passed: it binds nobody any more";
}

TEST_F(GraphOpsTest, EarliestDeadlineWins) {
    TestClient client(*domain_);
    const uint64_t far = client.new_id(), near = client.new_id(), waiter = client.new_id();
    client.post(flagged(after_all(client, event_wait(waiter), 4096, {far, near}), FC_F_WAIT_ANY));
    client.post(by(event_wait(far), kNever, FC_F_CHAIN_DEADLINE));
    client.post(by(event_wait(near), kSoon, FC_F_CHAIN_DEADLINE));
    auto events = client.collect(2);
    EXPECT_EQ(events.at(near).result, -ETIMEDOUT);
    EXPECT_EQ(events.at(waiter).result, -ETIMEDOUT);
    EXPECT_EQ(client.run(by(nop(1), 0, FC_F_CHAIN_DEADLINE)).result, -EINVAL);
}

TEST_F(GraphOpsTest, PeriodicTimerTicksUntilCancelled) {
    TestClient client(*domain_);
    const uint64_t id = client.new_id();
    fc_command ticks = flagged(with_id(timer(id, 0)), FC_F_MULTISHOT | FC_F_RESULT_ADD);
    ticks.buffer = 1000000;
    client.post(ticks);
    uint64_t periods = 0;
    for (int i = 0; i < 5; i++) {
        const fc_event event = client.wait().event;
        EXPECT_EQ(event.id, id);
        EXPECT_EQ(event.flags, FC_E_ID | FC_E_MORE);
        ASSERT_GE(event.result, 1);
        periods += static_cast<uint32_t>(event.result);
    }
    client.post(cancel(1, id));
    fc_event last = client.wait().event;
    while (last.flags & FC_E_MORE) {
        periods += static_cast<uint32_t>(last.result);
        last = client.wait().event;
    }
    EXPECT_EQ(last.result, -ECANCELED);
    EXPECT_EQ(client.wait().event.result, 0);
    EXPECT_EQ(client.variable(0), periods);
}

// Periods that find no event slot are told later, in one shot.
TEST_F(GraphOpsTest, PeriodicTimerLosesNoPeriodWithoutEventSlots) {
    TestClient client(*domain_, {.command_slots = 8, .event_slots = 8});
    fc_command ticks = flagged(timer(5, 0), FC_F_MULTISHOT);
    ticks.buffer = 100000;
    const auto start = std::chrono::steady_clock::now();
    client.post(ticks);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    uint64_t periods = 0;
    const uint64_t least = static_cast<uint64_t>((std::chrono::steady_clock::now() - start).count()) / 100000;
    for (int i = 0; periods < least && i < 200; i++) {
        periods += static_cast<uint32_t>(client.wait().event.result);
        client.ring();
    }
    const auto passed = static_cast<uint64_t>((std::chrono::steady_clock::now() - start).count()) / 100000;
    EXPECT_GE(periods, least);
    EXPECT_LE(periods, passed + 1) << "no period is told twice";
}

TEST_F(GraphOpsTest, TimerOperandsAreChecked) {
    TestClient client(*domain_);
    fc_command c = timer(1, 10);
    c.buffer = 1000;
    EXPECT_EQ(client.run(c).result, -EINVAL) << "a period without multishot";
    c.flags = FC_F_MULTISHOT;
    for (const uint64_t period : {0, 1, 999}) {
        c.buffer = period;
        EXPECT_EQ(client.run(c).result, -EINVAL) << period;
    }
    c.buffer = ~0ull;
    c.op_flags = FC_TIMER_ABSOLUTE;
    client.post(c);
    EXPECT_EQ(client.wait().event.flags, FC_E_MORE) << "the next is never";
    c.op_flags = 0;
    c.offset = ~0ull;
    EXPECT_EQ(client.run(c).result, -EINVAL);
    c.op_flags = 2;
    EXPECT_EQ(client.run(c).result, -EINVAL);
}

TEST_F(GraphOpsTest, CancelByHandleFindsWhoUsesIt) {
    TestClient client(*domain_);
    const uint64_t go = client.new_id();
    client.post(event_wait(go));
    client.post(after(transfer(FC_OP_READ, 1, 70000, 0, 0, 1), go));
    client.post(after(transfer(FC_OP_FSYNC, 2, 70000, 0, 0, 0), go));
    client.post(after(transfer(FC_OP_READ, 3, 70001, 0, 0, 1), go));
    fc_command copy = after(transfer(FC_OP_COPY, 4, 70001, 0, 0, 1), go);
    copy.region = 70000;
    client.post(copy);
    client.post(flagged(after(transfer(FC_OP_READ, 5, 0, 0, 0, 1), go), FC_F_VAR_HANDLE));
    fc_command same_number = after(timer(6, 70000), go);
    client.post(same_number);
    client.post(cancel_many(7, FC_CANCEL_HANDLE, 70000));
    auto events = client.collect(4);
    for (const uint64_t id : {1, 2, 4})
        EXPECT_EQ(events.at(id).result, -ECANCELED);
    EXPECT_EQ(events.at(7).result, 3);
    EXPECT_EQ(client.run(cancel_many(8, FC_CANCEL_HANDLE, 70000)).result, 0);
    client.post(event_set(9, go));
    events = client.collect(5);
    EXPECT_EQ(events.at(3).result, -EBADF);
    EXPECT_EQ(events.at(6).result, 0);
}

TEST_F(GraphOpsTest, CancelAllLeavesItselfAndOtherClients) {
    TestClient client(*domain_);
    TestClient other(*domain_);
    const uint64_t go = client.new_id(), theirs = other.new_id();
    other.post(event_wait(theirs));
    client.post(event_wait(go));
    client.post(with_id(timer(client.new_id(), kHourNs)));
    client.post(after(nop(1), go));
    client.post(flagged(after(nop(2), go), FC_F_ALWAYS));
    client.post(after(nop(3), client.new_id()));
    client.post(cancel_many(4, FC_CANCEL_ALL));
    auto events = client.collect(6);
    for (const auto& [id, event] : events)
        EXPECT_EQ(event.result, id == 4 ? 5 : -ECANCELED) << id;
    EXPECT_EQ(client.run(cancel_many(5, FC_CANCEL_ALL)).result, 0);
    EXPECT_EQ(other.run(event_set(1, theirs)).result, 0);
    other.wait();
}

TEST_F(GraphOpsTest, CancelOperandsAreChecked) {
    TestClient client(*domain_);
    const uint64_t user = client.new_id();
    EXPECT_EQ(client.run(cancel_many(1, FC_CANCEL_HANDLE | FC_CANCEL_ALL)).result, -EINVAL);
    EXPECT_EQ(client.run(cancel_many(1, 4)).result, -EINVAL);
    EXPECT_EQ(client.run(cancel_many(1, FC_CANCEL_ALL, 7)).result, -EINVAL);
    EXPECT_EQ(client.run(flagged(cancel_many(1, FC_CANCEL_ALL), FC_F_VAR_HANDLE)).result, -EINVAL);
    EXPECT_EQ(client.run(flagged(cancel_many(1, FC_CANCEL_HANDLE), FC_F_VAR_OFFSET)).result, -EINVAL);
    fc_command c = cancel_many(1, FC_CANCEL_HANDLE, 40);
    c.offset = user;
    EXPECT_EQ(client.run(c).result, -EINVAL);
    c = cancel(1, user);
    c.handle = 1;
    EXPECT_EQ(client.run(c).result, -EINVAL);
}

TEST_F(GraphOpsTest, AnyOfThatAlwaysRunsDoesSoWithTheFirstThatIsOver) {
    TestClient client(*domain_);
    const uint64_t never = client.new_id(), fails = client.new_id();
    client.post(flagged(after_all(client, nop(1, 4), 4096, {never, fails}), FC_F_WAIT_ANY | FC_F_ALWAYS));
    client.post(with_id(transfer(FC_OP_READ, fails, 999, 0, 0, 1)));
    EXPECT_EQ(client.collect(2).at(1).result, 4);
    client.post(flagged(after_all(client, nop(2, 5), 4096, {never, fails}), FC_F_WAIT_ANY | FC_F_ALWAYS));
    EXPECT_EQ(client.wait().event.result, 5) << "it failed before";
}

// Any-of lists that something else meets leave nothing behind on an event that stays pending.
TEST_F(GraphOpsTest, AnyOfWithALongLivedEventGoesOnForEver) {
    TestClient client(*domain_, {.command_slots = 256, .event_slots = 256});
    const uint64_t stop = client.new_id();
    client.post(event_wait(stop));
    for (int block = 0; block < 35; block++) {
        const ControlResult ids =
            TestClient::call([&](ControlDone d) { domain_->allocate_ids(client.id(), FC_ID_BLOCK, d); });
        for (uint64_t id = ids.value; id < ids.value + FC_ID_BLOCK; id += 32) {
            for (uint64_t i = 0; i < 32; i++) {
                const auto list = {stop, id + i};
                client.post(flagged(after_all(client, nop(1), 4096 + i * 16, list), FC_F_WAIT_ANY));
                client.post(with_id(nop(id + i)));
            }
            for (int i = 0; i < 64; i++)
                ASSERT_EQ(client.wait().event.result, 0) << block;
        }
    }
}

TEST_F(GraphOpsTest, ADomainsGraphsHaveOneBudget) {
    DomainConfig config;
    config.limits.max_graph_bytes = 1 << 20;
    auto domain = engine_.create_domain(config);
    TestClient one(*domain, {.command_slots = 1024, .event_slots = 16384});
    const auto more = [&](TestClient& client) {
        return TestClient::call([&](ControlDone d) { domain->allocate_ids(client.id(), FC_ID_BLOCK, d); })
            .status;
    };
    const uint64_t never = one.new_id();
    uint32_t parked = 0;
    int refused = 0;
    for (; refused == 0 && parked < 16000; parked++) {
        one.post(flagged(after(nop(1), never), FC_F_QUIET));
        if (parked % 64 != 0) continue;
        const fc_event event = one.run(nop(2));
        if (event.id == 1) refused = event.result;
    }
    EXPECT_EQ(refused, -EDQUOT);
    EXPECT_EQ(more(one), -EDQUOT);
    one.destroy();
    TestClient two(*domain);
    EXPECT_EQ(more(two), 0) << "the budget came back";
}

// What is released at once is dispatched by band of priority, a quarter of the scale each, then in order of
// arrival.
TEST_F(GraphOpsTest, HigherPrioritiesGoFirst) {
    TestClient client(*domain_);
    const uint64_t event = client.new_id();
    client.post(event_wait(event));
    for (const uint8_t priority : {10, 200, 70, 130, 255, 0, 191}) {
        fc_command c = nop(priority);
        c.priority = priority;
        c.wait = event;
        c.wait_count = 1;
        client.post(c);
    }
    client.post(event_set(1000, event));
    std::vector<uint64_t> order;
    for (int i = 0; i < 9; i++)
        order.push_back(client.wait().event.id);
    order.erase(
        std::remove_if(order.begin(), order.end(), [&](uint64_t id) { return id == event || id == 1000; }),
        order.end());
    EXPECT_EQ(order, (std::vector<uint64_t>{200, 255, 130, 191, 70, 10, 0}));
}

TEST(JobStates, EveryJobEnds) {
    EXPECT_TRUE(may_follow(JobState::kSuspended, JobState::kFree));
    EXPECT_FALSE(may_follow(JobState::kRunning, JobState::kReady))
        << "what is with the pool can't be taken back";
    EXPECT_FALSE(may_follow(JobState::kFree, JobState::kRunning)) << "never without having been posted";
    for (size_t state = 1; state < kJobStates; state++)
        EXPECT_TRUE(may_follow(static_cast<JobState>(state), JobState::kFree)) << state;
}

}  // namespace
}  // namespace farcall::test
