// SPDX-License-Identifier: MIT
// Random graphs against a sequential model: who completes, who is cancelled, and that nobody runs before its
// waits.
#include <random>
#include <set>

#include "tests/test_client.h"

namespace farcall::test {
namespace {

struct Step {
    uint64_t id;
    std::vector<size_t> waits;  // indices of steps
    bool fails = false;
    bool always = false;
    bool any = false;
};

// What a step ends with when its waits ended as `outcome` says: true = success.
bool expected_outcome(const Step& step, const std::vector<bool>& outcome) {
    size_t good = 0;
    for (const size_t w : step.waits)
        good += outcome[w];
    const bool met = step.waits.empty() || step.always || (step.any ? good > 0 : good == step.waits.size());
    return met && !step.fails;
}

class EventGraphTest : public ::testing::Test {
  protected:
    Engine engine_{EngineConfig{}};
    std::unique_ptr<Domain> domain_ = engine_.create_domain({});

    void run_graph(uint32_t seed) {
        std::mt19937 random(seed);
        TestClient client(*domain_, {.command_slots = 1024, .event_slots = 2048});
        std::vector<Step> steps(900);
        for (size_t i = 0; i < steps.size(); i++) {
            Step& step = steps[i];
            step.id = client.new_id();
            const size_t count = i == 0 ? 0 : random() % 5;
            for (size_t w = 0; w < count; w++)
                step.waits.push_back(i - 1 - random() % std::min<size_t>(i, 30));
            step.fails = random() % 40 == 0;
            step.always = random() % 10 == 0;
            step.any = random() % 4 == 0;
        }
        std::vector<bool> outcome(steps.size());
        for (size_t i = 0; i < steps.size(); i++)
            outcome[i] = expected_outcome(steps[i], outcome);

        std::vector<size_t> order(steps.size());
        for (size_t i = 0; i < order.size(); i++)
            order[i] = i;
        std::shuffle(order.begin(), order.end(), random);
        for (const size_t i : order)
            post(client, steps[i], i);

        std::map<uint64_t, size_t> index;
        for (size_t i = 0; i < steps.size(); i++)
            index[steps[i].id] = i;
        std::set<size_t> done;
        for (size_t n = 0; n < steps.size(); n++) {
            const fc_event event = client.wait().event;
            const size_t i = index.at(event.id);
            const Step& step = steps[i];
            EXPECT_EQ(event.result >= 0, outcome[i]) << "step " << i << " result " << event.result;
            EXPECT_TRUE(done.insert(i).second);
            if (event.result < 0 || step.any) continue;
            for (const size_t w : step.waits)
                EXPECT_TRUE(done.count(w)) << i << " ran before " << w;
        }
    }

    static void post(TestClient& client, const Step& step, size_t slot) {
        fc_command c = with_id(nop(step.id));
        if (step.fails) c = with_id(transfer(FC_OP_READ, step.id, 999, 0, 0, 1));
        if (step.always) c.flags |= FC_F_ALWAYS;
        if (step.any) c.flags |= FC_F_WAIT_ANY;
        c.wait_count = static_cast<uint16_t>(step.waits.size());
        auto* list = reinterpret_cast<uint64_t*>(client.arena() + 4096 + slot * 64);
        if (c.wait_count == 1) {
            // The model's waits are indices; IDs of one block are consecutive.
            c.wait = step.id - slot + step.waits[0];
        } else if (c.wait_count > 1) {
            for (size_t w = 0; w < step.waits.size(); w++)
                list[w] = step.id - slot + step.waits[w];
            c.wait = static_cast<uint64_t>(reinterpret_cast<std::byte*>(list) - client.arena());
        }
        client.post(c);
    }
};

TEST_F(EventGraphTest, RandomGraphsMatchTheModel) {
    const uint32_t base = test_seed();
    for (uint32_t i = 0; i < 30; i++) {
        SCOPED_TRACE("seed " + std::to_string(base + i));
        run_graph(base + i);
        if (HasFailure()) return;
    }
}

TEST_F(EventGraphTest, LongChainRunsWithoutDeepRecursion) {
    TestClient client(*domain_, {.command_slots = 4096, .event_slots = 16384});
    std::vector<uint64_t> ids;
    for (int i = 0; i < 4000; i++)
        ids.push_back(client.new_id());
    for (size_t i = ids.size() - 1; i > 0; i--)
        client.post(after(with_id(nop(ids[i])), ids[i - 1]));
    client.post(with_id(nop(ids[0])));
    for (const uint64_t id : ids)
        ASSERT_EQ(client.wait().event.id, id);
}

}  // namespace
}  // namespace farcall::test
