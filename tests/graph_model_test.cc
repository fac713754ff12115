// SPDX-License-Identifier: MIT
// Random graphs of thousands of commands, posted by many threads of several clients, against a sequential
// model of what shared/PROTOCOL.md says. The model knows nothing of nodes and edges: it goes through the
// commands in the order of their dependencies and says what each may end with.
#include <atomic>
#include <barrier>
#include <set>
#include <thread>

#include "tests/test_client.h"

namespace farcall::test {
namespace {

constexpr size_t kCommands = 3000;
constexpr size_t kClients = 3;
constexpr size_t kChannels = 2;  ///< per client, each with its thread; one more is for the clean-up
constexpr uint32_t kBadHandle = 999;
constexpr uint64_t kListsAt = 64 << 10;  ///< arena offset of wait lists
constexpr uint32_t kSum = 3;             ///< variable to which results are added
constexpr uint32_t kFileBytes = 10;

enum class Kind {
    kNop,
    kNoFile,
    kTimer,
    kPoolFails,
    kShortRead,
    kUser,
    kSet,
    kCancel,
    kCancelAll,
    kCancelHandle
};

struct Step {
    Kind kind = Kind::kNop;
    size_t client = 0;
    size_t channel = 0;
    uint64_t id = 0;
    std::vector<size_t> waits;  ///< indices of earlier steps
    size_t target = 0;          ///< of a set or a cancel
    uint32_t result = 0;
    bool any = false, always = false, short_stop = false, add = false, chain = false;
    bool is_private = false;  ///< its ID is not shared
    uint32_t deadline_us = 0;
};

/// A channel of a client, used by one thread.
class Ring {
  public:
    Ring(Domain& domain, ClientId client, std::byte* memory, int interrupt)
        : domain_(domain), client_(client) {
        ChannelConfig config;
        config.memory = memory;
        config.bytes = kBytes;
        config.command_slots = kSlots;
        config.event_slots = kEvents;
        config.interrupt_fd = interrupt;
        EXPECT_EQ(
            TestClient::call([&](ControlDone done) { domain.create_channel(client, config, done); }).status,
            0);
        header_ = reinterpret_cast<fc_ring_header*>(memory);
        commands_ = reinterpret_cast<fc_command*>(memory + FC_COMMANDS_OFFSET);
        events_ = memory + fc_events_offset(kSlots);
    }
    void post(const fc_command& command) {
        while (tail_ - fc_load_acquire(&header_->command_head) >= kSlots)
            std::this_thread::yield();
        fc_command_publish(commands_, kSlots - 1, tail_++, &command);
        if (!fc_doorbell_needed(header_, tail_)) return;
        const uint64_t one = 1;
        EXPECT_EQ(write(domain_.doorbell_fd(client_), &one, sizeof(one)), 8);
    }
    bool poll(fc_event* event) {
        if (!fc_event_read(fc_event_slot(events_, kEvents - 1, sizeof(fc_event), head_), head_, event))
            return false;
        fc_store_release(&header_->event_head, ++head_);
        return true;
    }

    static constexpr uint32_t kSlots = 64;
    static constexpr uint32_t kEvents = 8192;
    static constexpr uint64_t kBytes = (FC_COMMANDS_OFFSET + kSlots * 64 + kEvents * 16 + 4095) & ~4095ull;

  private:
    Domain& domain_;
    ClientId client_;
    fc_ring_header* header_;
    fc_command* commands_;
    std::byte* events_;
    uint32_t tail_ = 0;
    uint32_t head_ = 0;
};

class GraphModelTest : public ::testing::Test {
  protected:
    GraphModelTest() {
        dir_.write("ten", std::string(kFileBytes, 'x'));
        DomainConfig config;
        config.shares.push_back({dir_.path().string(), false});
        domain_ = engine_.create_domain(config);
    }

    void make_clients();
    void make_steps(std::mt19937& random, bool bulk);
    fc_command command_of(size_t index);
    void run(std::mt19937& random);
    void play(size_t client, size_t channel, const std::vector<size_t>& mine);
    void set_the_rest();
    void check();
    int expected(size_t index, const std::vector<bool>& good, const std::vector<bool>& chained);
    bool waits_met(const Step& step, const std::vector<bool>& good) const;
    bool refused(const Step& step) const;

    TempDir dir_;
    Engine engine_{EngineConfig{.workers = 2, .blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
    std::vector<std::unique_ptr<TestClient>> clients_;
    std::vector<std::vector<std::unique_ptr<Ring>>> rings_;
    std::vector<uint32_t> files_;
    std::vector<Step> steps_;
    std::map<uint64_t, size_t> index_;  ///< by ID
    // What was seen.
    std::vector<std::atomic<int>> seen_ = std::vector<std::atomic<int>>(kCommands);  ///< events of each step
    std::vector<int> result_ = std::vector<int>(kCommands);
    std::vector<uint8_t> flags_ = std::vector<uint8_t>(kCommands);
    std::vector<size_t> order_ = std::vector<size_t>(kCommands);  ///< place among the events of its channel
    std::map<size_t, uint32_t> set_to_;                           ///< user events that the clean-up set
};

void GraphModelTest::make_clients() {
    for (size_t i = 0; i < kClients; i++) {
        TestClient::Options options;
        if (i > 0) options.client_flags = FC_CLIENT_NEAR, options.near_serial = clients_[0]->serial();
        clients_.push_back(std::make_unique<TestClient>(*domain_, options));
        TestClient& client = *clients_.back();
        EXPECT_EQ(domain_->worker_index(client.id()), domain_->worker_index(clients_[0]->id()));
        memcpy(client.arena() + 512, "ten", 3);
        fc_command open = transfer(FC_OP_OPEN, 1, 0, 0, 512, 3);
        open.op_flags = FC_OPEN_READ;
        files_.push_back(static_cast<uint32_t>(client.run(open).result));
        memcpy(client.arena() + 515, "missing", 7);  // for kPoolFails
        rings_.emplace_back();
        for (size_t c = 0; c < kChannels; c++)
            rings_[i].push_back(std::make_unique<Ring>(*domain_, client.id(), client.map(Ring::kBytes),
                                                       client.interrupt_fd()));
    }
}

// Everything waits for earlier steps only, so there are no cycles; they are posted in any order.
void GraphModelTest::make_steps(std::mt19937& random, bool bulk) {
    const auto one_in = [&](uint32_t n) { return random() % n == 0; };
    uint64_t next[kClients][2];  // [1]: private
    for (size_t i = 0; i < kClients; i++) {
        for (uint64_t& first : next[i])
            first = TestClient::call([&](ControlDone done) {
                        domain_->allocate_ids(clients_[i]->id(), FC_ID_BLOCK, done);
                    }).value;
        fc_command share{};
        share.opcode = FC_OP_EVENT_SHARE;
        share.offset = next[i][0];
        share.buffer = FC_ID_BLOCK;
        for (size_t with = 0; with < kClients; with++) {
            share.length = clients_[with]->serial();
            if (with != i) {
                EXPECT_EQ(clients_[i]->run(share).result, 0);
            }
        }
    }
    steps_.assign(kCommands, {});
    index_.clear();
    for (size_t i = 0; i < kCommands; i++) {
        Step& step = steps_[i];
        step.client = random() % kClients;
        step.channel = random() % kChannels;
        step.is_private = one_in(10);
        step.id = next[step.client][step.is_private]++;
        index_[step.id] = i;
        const size_t count = i == 0 || one_in(5) ? 0 : 1 + random() % (one_in(20) ? 40 : 4);
        for (size_t w = 0; w < count; w++) {
            const size_t wait = i - 1 - random() % std::min<size_t>(i, one_in(10) ? 2000 : 40);
            const bool foreign = steps_[wait].is_private && steps_[wait].client != step.client;
            if (!foreign || one_in(20)) step.waits.push_back(wait);
        }
        static constexpr Kind kKinds[] = {Kind::kNoFile, Kind::kTimer, Kind::kPoolFails, Kind::kShortRead,
                                          Kind::kUser,   Kind::kSet,   Kind::kCancel};
        if (one_in(4)) step.kind = kKinds[random() % std::size(kKinds)];
        if (bulk && one_in(300)) step.kind = one_in(4) ? Kind::kCancelAll : Kind::kCancelHandle;
        if (i == 0 && (step.kind == Kind::kSet || step.kind == Kind::kCancel)) step.kind = Kind::kNop;
        step.result = random() % 1000;
        step.any = one_in(4);
        step.always = one_in(6);
        step.short_stop = one_in(2);
        step.add = one_in(3);
        if (one_in(12)) step.deadline_us = one_in(2) ? 1 + random() % 3000 : 100000000;
        step.chain = step.deadline_us != 0 && one_in(4);
        if (step.kind != Kind::kSet && step.kind != Kind::kCancel) continue;
        // Of its own client and, for a set, a user event; otherwise there is nothing to see.
        size_t t = random() % i;
        while (t > 0 && (steps_[t].client != step.client ||
                         (step.kind == Kind::kSet && steps_[t].kind != Kind::kUser)))
            t--;
        step.target = t;
        if (t == 0) step.kind = Kind::kNop;
    }
}

fc_command GraphModelTest::command_of(size_t index) {
    const Step& step = steps_[index];
    TestClient& client = *clients_[step.client];
    fc_command c{};
    switch (step.kind) {
        case Kind::kNop:
            c.length = step.result;
            break;
        case Kind::kNoFile:
            c = transfer(FC_OP_READ, 0, kBadHandle, 0, 0, 1);
            break;
        case Kind::kTimer:
            c.opcode = FC_OP_TIMER;
            c.offset = step.result * 1000;
            break;
        case Kind::kPoolFails:
            c = transfer(FC_OP_OPEN, 0, 0, 0, 515, 7);
            c.op_flags = FC_OPEN_READ;
            break;
        case Kind::kShortRead:
            c = transfer(FC_OP_READ, 0, files_[step.client], 0, 4096, 100);
            if (step.short_stop) c.flags |= FC_F_SHORT_STOP;
            break;
        case Kind::kUser:
            c.opcode = FC_OP_EVENT_WAIT;
            break;
        case Kind::kSet:
            c.opcode = FC_OP_EVENT_SET;
            c.offset = steps_[step.target].id;
            c.length = step.result;
            break;
        case Kind::kCancel:
            c.opcode = FC_OP_CANCEL;
            c.offset = steps_[step.target].id;
            break;
        case Kind::kCancelAll:
        case Kind::kCancelHandle:
            c.opcode = FC_OP_CANCEL;
            c.op_flags = step.kind == Kind::kCancelAll ? FC_CANCEL_ALL : FC_CANCEL_HANDLE;
            if (step.kind == Kind::kCancelHandle) c.handle = kBadHandle;
            break;
    }
    c.id = step.id;
    c.flags |= FC_F_ID;
    if (step.any) c.flags |= FC_F_WAIT_ANY;
    if (step.always) c.flags |= FC_F_ALWAYS;
    if (step.chain) c.flags |= FC_F_CHAIN_DEADLINE;
    c.deadline = step.deadline_us;
    if (step.add) c.flags |= FC_F_RESULT_ADD, c.result_var = kSum;
    c.wait_count = static_cast<uint16_t>(step.waits.size());
    if (c.wait_count == 1) c.wait = steps_[step.waits[0]].id;
    if (c.wait_count > 1) {
        c.wait = kListsAt + index * 320;
        auto* list = reinterpret_cast<uint64_t*>(client.arena() + c.wait);
        for (size_t w = 0; w < step.waits.size(); w++)
            list[w] = steps_[step.waits[w]].id;
    }
    return c;
}

// One thread: posts its commands, reads events as they come, until each has its own.
void GraphModelTest::play(size_t client, size_t channel, const std::vector<size_t>& mine) {
    Ring& ring = *rings_[client][channel];
    size_t events = 0;
    fc_event event;
    const auto read_all = [&] {
        while (ring.poll(&event)) {
            const size_t i = index_.at(event.id);
            result_[i] = event.result;
            flags_[i] = event.flags;
            order_[i] = events++;
            seen_[i]++;
        }
    };
    for (const size_t i : mine) {
        ring.post(command_of(i));
        read_all();
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (events < mine.size() && std::chrono::steady_clock::now() < end) {
        read_all();
        std::this_thread::yield();
    }
}

// User events that no command of the graph has set would wait for ever.
void GraphModelTest::set_the_rest() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(50);
    bool left = true;
    while (left && std::chrono::steady_clock::now() < end) {
        left = false;
        for (size_t i = 0; i < kCommands; i++) {
            if (steps_[i].kind != Kind::kUser || seen_[i] > 0) continue;
            left = true;
            fc_command set{};
            set.opcode = FC_OP_EVENT_SET;
            set.offset = steps_[i].id;
            set.length = steps_[i].result;
            if (clients_[steps_[i].client]->run(set).result == 0) set_to_[i] = steps_[i].result;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void GraphModelTest::run(std::mt19937& random) {
    std::vector<size_t> order(kCommands);
    for (size_t i = 0; i < kCommands; i++)
        order[i] = i, seen_[i] = 0;
    // Roughly in order, so that some waits come early and some late.
    for (size_t i = 0; i + 1 < kCommands; i++)
        std::swap(order[i],
                  order[i + random() % std::min<size_t>(kCommands - i, random() % 3 == 0 ? 400 : 3)]);
    std::vector<std::vector<size_t>> mine(kClients * kChannels);
    for (const size_t i : order)
        mine[steps_[i].client * kChannels + steps_[i].channel].push_back(i);
    for (auto& client : clients_)
        client->variable(kSum) = 0;
    set_to_.clear();
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < mine.size(); t++)
        threads.emplace_back([this, t, &mine] { play(t / kChannels, t % kChannels, mine[t]); });
    set_the_rest();
}

bool GraphModelTest::refused(const Step& step) const {
    return std::any_of(step.waits.begin(), step.waits.end(),
                       [&](size_t w) { return steps_[w].is_private && steps_[w].client != step.client; });
}

bool GraphModelTest::waits_met(const Step& step, const std::vector<bool>& good) const {
    size_t count = 0;
    for (const size_t w : step.waits)
        count += good[w];
    return step.waits.empty() || step.always || (step.any ? count > 0 : count == step.waits.size());
}

// What the step ends with when nobody interferes. Where timing decides, what was seen says which it was; the
// consequences of that are checked elsewhere.
int GraphModelTest::expected(size_t i, const std::vector<bool>& good, const std::vector<bool>& chained) {
    const Step& step = steps_[i];
    const int seen = result_[i];
    if (refused(step)) return -EPERM;
    if (seen == -ETIMEDOUT && (step.deadline_us != 0 || chained[i])) return seen;
    if (!waits_met(step, good)) return -ECANCELED;
    switch (step.kind) {
        case Kind::kNop:
            return static_cast<int>(step.result);
        case Kind::kNoFile:
            return -EBADF;
        case Kind::kTimer:
            return 0;
        case Kind::kPoolFails:
            return -ENOENT;
        case Kind::kShortRead:
            return kFileBytes;
        case Kind::kUser: {
            const auto by_cleanup = set_to_.find(i);
            if (by_cleanup != set_to_.end()) return static_cast<int>(by_cleanup->second);
            for (size_t s = 0; s < kCommands; s++) {
                if (steps_[s].kind == Kind::kSet && steps_[s].target == i && result_[s] == 0)
                    return static_cast<int>(steps_[s].result);
            }
            return -ENOENT;  // nobody set it: it must not have completed
        }
        case Kind::kSet:
            return seen == 0 || seen == -ENOENT ? seen : 0;
        case Kind::kCancel:
            return seen == 0 || seen == -ENOENT || seen == -EALREADY ? seen : 0;
        case Kind::kCancelAll:
        case Kind::kCancelHandle:
            return seen >= 0 ? seen : 0;
    }
    return 0;
}

void GraphModelTest::check() {
    std::vector<bool> good(kCommands), chained(kCommands);
    std::vector<int> cancels(kCommands), sets(kCommands);
    std::vector<uint64_t> bulk_all(kClients), bulk_handle(kClients), unexplained(kClients), sum(kClients);
    for (size_t i = 0; i < kCommands; i++) {
        ASSERT_EQ(seen_[i], 1) << "events of step " << i << " of kind " << static_cast<int>(steps_[i].kind);
        const Step& step = steps_[i];
        if (step.kind == Kind::kCancel && result_[i] == 0) cancels[step.target]++;
        if (step.kind == Kind::kSet && result_[i] == 0) sets[step.target]++;
        if (step.kind == Kind::kCancelAll && result_[i] > 0)
            bulk_all[step.client] += static_cast<uint32_t>(result_[i]);
        if (step.kind == Kind::kCancelHandle && result_[i] > 0)
            bulk_handle[step.client] += static_cast<uint32_t>(result_[i]);
    }
    for (const auto& [user, value] : set_to_)
        sets[user]++;
    std::vector<uint64_t> cancelled(kClients);
    for (size_t i = 0; i < kCommands; i++) {
        const Step& step = steps_[i];
        chained[i] = step.chain;
        for (const size_t w : step.waits)
            chained[i] = chained[i] || (!step.always && chained[w]);
        int must = expected(i, good, chained);
        ASSERT_LE(cancels[i], 1) << i;
        ASSERT_LE(sets[i], 1) << i;
        if (cancels[i] == 1) must = -ECANCELED;
        cancelled[step.client] += result_[i] == -ECANCELED;
        const bool by_handle = step.kind == Kind::kNoFile && bulk_handle[step.client] > 0;
        if (result_[i] != must && result_[i] == -ECANCELED && (by_handle || bulk_all[step.client] > 0)) {
            unexplained[step.client]++;
            must = -ECANCELED;
        }
        ASSERT_EQ(result_[i], must) << "step " << i << " kind " << static_cast<int>(step.kind);
        if (sets[i] == 1) {
            ASSERT_GE(result_[i], 0) << "set, but not completed by it: " << i;
        }
        const bool is_short = step.kind == Kind::kShortRead && step.short_stop && result_[i] >= 0;
        ASSERT_EQ(flags_[i], FC_E_ID | (is_short ? FC_E_SHORT : 0)) << i;
        good[i] = result_[i] >= 0 && !is_short;
        if (step.add && result_[i] > 0) sum[step.client] += static_cast<uint32_t>(result_[i]);
        if (!good[i] || step.any) continue;
        for (const size_t w : step.waits) {
            const bool together = steps_[w].client == step.client && steps_[w].channel == step.channel;
            if (together) {
                ASSERT_LT(order_[w], order_[i]) << i << " ran before " << w;
            }
        }
    }
    for (size_t c = 0; c < kClients; c++) {
        EXPECT_EQ(clients_[c]->variable(kSum), sum[c]);
        EXPECT_LE(unexplained[c], bulk_all[c] + bulk_handle[c]);
        EXPECT_LE(bulk_all[c] + bulk_handle[c], cancelled[c]);
    }
}

TEST_F(GraphModelTest, RandomGraphsOfManyThreadsAndClients) {
    const uint32_t base = test_seed();
    make_clients();
    for (uint32_t round = 0; round < 8; round++) {
        SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(base) + ", round " + std::to_string(round));
        std::mt19937 random(base + round);
        make_steps(random, round % 2 == 1);
        run(random);
        check();
        if (HasFatalFailure()) return;
    }
}

// All of a graph is long over, its ID blocks perhaps given back: who waits now sees how each ended.
TEST_F(GraphModelTest, LateWaitsSeeHowItEnded) {
    const uint32_t base = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(base));
    std::mt19937 random(base);
    make_clients();
    make_steps(random, false);
    run(random);
    check();
    if (HasFatalFailure()) return;
    for (size_t i = 0; i < kCommands; i++) {
        const Step& step = steps_[i];
        const size_t waiter = random() % kClients;
        const bool foreign = step.is_private && waiter != step.client;
        const bool ended_well = result_[i] >= 0 && !(flags_[i] & FC_E_SHORT);
        const int must = foreign ? -EPERM : ended_well ? 7 : -ECANCELED;
        ASSERT_EQ(clients_[waiter]->run(after(nop(1, 7), step.id)).result, must) << i;
        fc_command again = with_id(nop(step.id));
        const fc_event refused = clients_[step.client]->run(again);
        ASSERT_EQ(refused.result, -EEXIST) << "an ID names one command, once";
        ASSERT_EQ(refused.flags & FC_E_ID, 0u);
    }
}

}  // namespace
}  // namespace farcall::test
