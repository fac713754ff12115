// SPDX-License-Identifier: MIT
// Waiting for the events of other clients, and what happens when one of the two goes away.
#include "host-lib/serial_table.h"
#include "tests/graph_client.h"

namespace farcall::test {
namespace {

class GraphShareTest : public ::testing::Test {
  protected:
    Engine engine_{EngineConfig{.workers = 2}};
    std::unique_ptr<Domain> domain_ = engine_.create_domain({});

    std::unique_ptr<TestClient> near(const TestClient& other) {
        return std::make_unique<TestClient>(
            *domain_, TestClient::Options{.client_flags = FC_CLIENT_NEAR, .near_serial = other.serial()});
    }
    ControlResult create(uint32_t flags, uint64_t serial) {
        return TestClient::call(
            [&](ControlDone done) { domain_->create_client({.flags = flags, .near_serial = serial}, done); });
    }
};

TEST_F(GraphShareTest, SharedEventsReleaseOtherClients) {
    TestClient owner(*domain_);
    auto other = near(owner);
    auto third = near(owner);
    const uint64_t event = owner.new_id(), hidden = owner.new_id();
    EXPECT_EQ(other->run(after(nop(1), event)).result, -EPERM);
    EXPECT_EQ(owner.run(share(1, event, 1, other->serial())).result, 0);
    owner.post(event_wait(event));
    other->post(after(nop(2, 5), event));
    const uint64_t own = other->new_id();
    other->post(after_all(*other, nop(3, 6), 4096, {event, own}));
    EXPECT_EQ(third->run(after(nop(1), event)).result, -EPERM);
    EXPECT_EQ(other->run(after(nop(1), hidden)).result, -EPERM);
    owner.post(event_set(2, event, 8));
    EXPECT_EQ(owner.collect(2).at(event).result, 8);
    EXPECT_EQ(other->wait().event.result, 5);
    other->post(with_id(nop(own)));
    EXPECT_EQ(other->collect(2).at(3).result, 6);
    EXPECT_EQ(other->run(after(nop(4, 7), event)).result, 7) << "a late wait";
    EXPECT_EQ(owner.run(share(1, hidden, 1, 0)).result, 0);
    owner.run(with_id(nop(hidden)));
    EXPECT_EQ(third->run(after(nop(1, 3), hidden)).result, 3) << "shared with all";
}

TEST_F(GraphShareTest, SharingIsForWaitingOnly) {
    TestClient owner(*domain_);
    auto other = near(owner);
    const uint64_t event = owner.new_id();
    owner.run(share(1, event, 1, 0));
    owner.post(event_wait(event));
    EXPECT_EQ(other->run(event_set(1, event)).result, -EPERM);
    EXPECT_EQ(other->run(cancel(1, event)).result, -EPERM);
    EXPECT_EQ(other->run(with_id(nop(event))).result, -EPERM);
    EXPECT_EQ(other->run(share(1, event, 1, 0)).result, -EPERM);
}

TEST_F(GraphShareTest, ShareOperandsAreChecked) {
    TestClient owner(*domain_);
    const uint64_t first = owner.new_id();
    EXPECT_EQ(owner.run(share(1, first, 0, 0)).result, -EINVAL);
    EXPECT_EQ(owner.run(share(1, first, FC_ID_BLOCK + 1, 0)).result, -EINVAL);
    EXPECT_EQ(owner.run(share(1, first, ~0ull, 0)).result, -EINVAL);
    EXPECT_EQ(owner.run(share(1, first - 1, 1, 0)).result, -EINVAL);
    EXPECT_EQ(owner.run(share(1, 0, 1, 0)).result, -EPERM);
    EXPECT_EQ(owner.run(share(1, first, 1, 0xffffff)).result, -ENOENT);
    EXPECT_EQ(owner.run(share(1, first, 1, 0xffffffff)).result, -ENOENT);
    fc_command c = share(1, first, 1, 0);
    c.handle = 1;
    EXPECT_EQ(owner.run(c).result, -EINVAL);
    // Ranges that touch are one; those that do not are bounded.
    for (uint64_t i = 0; i < 2000; i++)
        ASSERT_EQ(owner.run(share(1, first + i, 1, 0)).result, 0);
    EXPECT_EQ(owner.run(share(1, first, FC_ID_BLOCK, 0)).result, 0);
    auto other = near(owner);
    int refused = 0;
    for (uint64_t i = 0; i < FC_ID_BLOCK && refused == 0; i += 2)
        refused = owner.run(share(1, first + i, 1, other->serial())).result;
    EXPECT_EQ(refused, -ENOSPC);
    other.reset();
    auto next = near(owner);
    EXPECT_EQ(owner.run(share(1, first, 1, next->serial())).result, 0) << "those of the dead count no more";
}

TEST_F(GraphShareTest, OnlyClientsOfOneWorkerShare) {
    TestClient owner(*domain_);
    std::unique_ptr<TestClient> far;
    while (!far || domain_->worker_index(far->id()) == domain_->worker_index(owner.id()))
        far = std::make_unique<TestClient>(*domain_);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(domain_->worker_index(near(owner)->id()), domain_->worker_index(owner.id()));
    const uint64_t event = owner.new_id();
    EXPECT_EQ(owner.run(share(1, event, 1, far->serial())).result, -EXDEV);
    EXPECT_EQ(owner.run(share(1, event, 1, 0)).result, 0);
    EXPECT_EQ(far->run(after(nop(1), event)).result, -EXDEV);
    EXPECT_EQ(create(FC_CLIENT_NEAR, 0).status, -EINVAL);
    EXPECT_EQ(create(0, owner.serial()).status, -EINVAL);
    for (const uint64_t nobody : {0xffffffull, 0x100000000ull + owner.serial(), ~0ull})
        EXPECT_EQ(create(FC_CLIENT_NEAR, nobody).status, -ENOENT);
    EXPECT_EQ(create(FC_CLIENT_KERNEL << 1, 0).status, -EINVAL);
    EXPECT_EQ(domain_->client_count(), 2u);
}

// What its owner has not completed, or not even posted, fails when the owner goes.
TEST_F(GraphShareTest, DeathOfTheOwnerFailsItsEvents) {
    auto owner = std::make_unique<TestClient>(*domain_);
    auto other = near(*owner);
    const uint64_t pending = owner->new_id(), unposted = owner->new_id(), done = owner->new_id();
    owner->run(share(1, pending, 3, other->serial()));
    owner->run(with_id(nop(done)));
    owner->post(event_wait(pending));
    owner->run(nop(1));
    other->post(after(nop(1), pending));
    other->post(after(nop(2), unposted));
    other->post(flagged(after(nop(3, 3), unposted), FC_F_ALWAYS));
    const uint64_t own = other->new_id();
    other->post(flagged(after_all(*other, nop(4, 4), 4096, {pending, own}), FC_F_WAIT_ANY));
    EXPECT_EQ(other->run(after(nop(5, 5), done)).result, 5);
    owner.reset();
    auto events = other->collect(3);
    EXPECT_EQ(events.at(1).result, -ECANCELED);
    EXPECT_EQ(events.at(2).result, -ECANCELED);
    EXPECT_EQ(events.at(3).result, 3);
    other->post(with_id(nop(own)));
    EXPECT_EQ(other->collect(2).at(4).result, 4);
    EXPECT_EQ(other->run(after(nop(6), done)).result, -EPERM) << "nobody shares it any more";
}

TEST_F(GraphShareTest, DeathOfTheWaiterLeavesNothing) {
    TestClient owner(*domain_);
    const uint64_t event = owner.new_id();
    owner.run(share(1, event, 1, 0));
    owner.post(event_wait(event));
    for (int i = 0; i < 50; i++) {
        auto other = near(owner);
        for (uint64_t n = 0; n < 60; n++)
            other->post(after(nop(n), event));
        other->run(nop(1));
    }
    auto last = near(owner);
    last->post(after(nop(9, 9), event));
    last->run(nop(1));
    owner.post(event_set(2, event));
    EXPECT_EQ(owner.collect(2).size(), 2u);
    EXPECT_EQ(last->wait().event.result, 9);
}

TEST_F(GraphShareTest, CyclesAcrossClientsAreRefused) {
    TestClient a(*domain_);
    auto b = near(a);
    auto c = near(a);
    const uint64_t ea = a.new_id(), eb = b->new_id(), ec = c->new_id();
    a.run(share(1, ea, 1, 0));
    b->run(share(1, eb, 1, 0));
    c->run(share(1, ec, 1, 0));
    a.post(with_id(after(nop(ea), eb)));
    a.run(nop(1));
    b->post(with_id(after(nop(eb), ec)));
    b->run(nop(1));
    EXPECT_EQ(c->run(with_id(after(nop(ec), ea))).result, -EDEADLK);
    EXPECT_EQ(b->wait().event.result, -ECANCELED);
    EXPECT_EQ(a.wait().event.result, -ECANCELED);
}

TEST_F(GraphShareTest, ChainDeadlinesCrossClients) {
    TestClient owner(*domain_);
    auto other = near(owner);
    const uint64_t early = owner.new_id(), late = owner.new_id();
    owner.run(share(1, early, 2, 0));
    other->post(after(event_wait(other->new_id()), early));
    other->run(nop(1));
    owner.run(by(with_id(nop(early)), 50000, FC_F_CHAIN_DEADLINE));
    owner.run(by(with_id(nop(late)), 50000, FC_F_CHAIN_DEADLINE));
    other->post(after(event_wait(other->new_id()), late));
    EXPECT_EQ(other->wait().event.result, -ETIMEDOUT);
    EXPECT_EQ(other->wait().event.result, -ETIMEDOUT);
}

TEST_F(GraphShareTest, SerialsComeBackWithNewNumbers) {
    SerialTable serials;
    const auto first = serials.take();
    serials.set_client(first->serial, 5);
    EXPECT_EQ(serials.client(first->serial), 5u);
    serials.give_back(first->serial, first->first_number + 3 * FC_ID_BLOCK);
    EXPECT_EQ(serials.client(first->serial), 0u);
    uint64_t takes = 0;
    for (auto taken = serials.take(); takes < 10 * SerialTable::kRest; taken = serials.take(), takes++) {
        if (taken->serial != first->serial) {
            serials.give_back(taken->serial, taken->first_number);
            continue;
        }
        EXPECT_EQ(taken->first_number, first->first_number + 3 * FC_ID_BLOCK);
        EXPECT_GE(takes, SerialTable::kRest) << "too early";
        return;
    }
    ADD_FAILURE() << "it never came back";
}

// A domain outlives any number of clients, and a stale ID never names a command of a newer client.
TEST_F(GraphShareTest, StaleIdsNeverNameNewCommands) {
    TestClient witness(*domain_);
    uint64_t stale = 0;
    uint32_t serial = 0;
    {
        auto old = near(witness);
        serial = old->serial();
        stale = old->new_id();
        old->run(with_id(nop(stale)));
        old->run(share(1, stale, 1, witness.serial()));
        EXPECT_EQ(witness.run(after(nop(1, 2), stale)).result, 2);
    }
    for (size_t i = 0; i <= 2 * SerialTable::kRest; i++) {
        const ControlResult made = create(FC_CLIENT_NEAR, witness.serial());
        ASSERT_EQ(made.status, 0);
        const auto id = static_cast<ClientId>(made.value);
        if (made.value >> 32 == serial) {
            EXPECT_EQ(witness.run(after(nop(1), stale)).result, -EPERM);
            const ControlResult ids =
                TestClient::call([&](ControlDone done) { domain_->allocate_ids(id, 1, done); });
            EXPECT_GT(ids.value, stale);
            EXPECT_EQ(ids.value >> FC_ID_BITS, serial);
            TestClient::call([&](ControlDone done) { domain_->destroy_client(id, done); });
            return;
        }
        TestClient::call([&](ControlDone done) { domain_->destroy_client(id, done); });
    }
    ADD_FAILURE() << "serial " << serial << " never came back";
}

}  // namespace
}  // namespace farcall::test
