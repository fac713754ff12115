// SPDX-License-Identifier: MIT
// Services between clients of one domain, on the same worker and on two.
#include <thread>

#include "tests/service_rig.h"

namespace farcall::test {
namespace {

/// The parameter: how many workers, so that server and callers share one or don't.
class ServiceTest : public ::testing::TestWithParam<unsigned> {
  protected:
    ServiceTest()
        : engine_(EngineConfig{.workers = GetParam(), .spin = std::chrono::microseconds(20)}),
          domain_(engine_.create_domain({})) {}

    std::string text_at(const TestClient& client, uint64_t at, size_t bytes) {
        return {reinterpret_cast<const char*>(client.arena()) + at, bytes};
    }

    Engine engine_;
    std::unique_ptr<Domain> domain_;
};
INSTANTIATE_TEST_SUITE_P(Workers, ServiceTest, testing::Values(1u, 2u));

TEST_P(ServiceTest, CallCarriesEverythingBothWays) {
    TestServer server(*domain_, "echo", 4);
    TestClient client(*domain_);
    const uint32_t service = must_open_service(client, server, "echo");
    fc_command c = service_call(client, 5, service, "hello", 100);
    c.op_flags = 0xabcd;
    c.offset |= 0x12345678ull << 32;
    c.priority = 9;
    client.post(c);
    const fc_call call = server.next();
    EXPECT_EQ(call.kind, static_cast<uint32_t>(FC_CALL_OP));
    EXPECT_EQ(call.op, 0xabcdu);
    EXPECT_EQ(call.argument, 0x12345678u);
    EXPECT_EQ(call.client, client.serial());
    EXPECT_EQ(call.capacity, 100u);
    EXPECT_EQ(server.request(call), "hello");
    EXPECT_EQ(server.reply(call, 42, "good bye"), 0);
    const fc_event event = client.wait().event;
    EXPECT_EQ(event.id, 5u);
    EXPECT_EQ(event.result, 42);
    EXPECT_EQ(event.priority, 9);
    EXPECT_EQ(text_at(client, 8192, 9), std::string("good bye\0", 9));
    EXPECT_EQ(server.reply(call, 1), -ENOENT) << "answered twice";
}

TEST_P(ServiceTest, ServerSaysWhoMayUseIt) {
    TestServer server(*domain_, "choosy", 4);
    TestClient client(*domain_);
    EXPECT_EQ(client.run(service_open(client, "nobody")).result, -ENOENT);
    client.post(service_open(client, "choosy"));
    const fc_call open = server.next();
    EXPECT_EQ(open.kind, static_cast<uint32_t>(FC_CALL_OPEN));
    ASSERT_EQ(open.bytes, sizeof(fc_peer));
    fc_peer peer;
    memcpy(&peer, server.request(open).data(), sizeof(peer));
    EXPECT_EQ(peer.flags, 0u) << "this transport knows nobody";
    EXPECT_EQ(server.reply(open, -EACCES), 0);
    EXPECT_EQ(client.wait().event.result, -EACCES);
    must_open_service(client, server, "choosy");
}

TEST_P(ServiceTest, NamesAreUniqueAndFreeAgainAfterTheServer) {
    auto server = std::make_unique<TestServer>(*domain_, "name", 4);
    TestClient other(*domain_);
    EXPECT_EQ(other.run(TestServer::serve(other, "name", 1, 64)).result, -EEXIST);
    server.reset();
    const TestServer again(*domain_, "name", 1);
}

// A chain through a server, with no step of the client in between: put what a read gave, get it back, write
// it.
TEST_P(ServiceTest, CallsChainWithOtherCommands) {
    const TempDir dir;
    dir.write("in", "from a file");
    DomainConfig config;
    config.shares.push_back({dir.path().string(), true});
    const auto domain = engine_.create_domain(config);
    TestServer server(*domain, "store", 4);
    TestClient client(*domain);
    const uint32_t service = must_open_service(client, server, "store");
    memcpy(client.arena() + 600, "inout", 5);
    fc_command open = transfer(FC_OP_OPEN, 1, 0, 0644, 600, 2);
    open.op_flags = FC_OPEN_READ;
    const int in = client.run(open).result;
    open = transfer(FC_OP_OPEN, 1, 0, 0644, 602, 3);
    open.op_flags = FC_OPEN_WRITE | FC_OPEN_CREATE;
    const int out = client.run(open).result;

    const uint64_t read = client.new_id(), put = client.new_id(), get = client.new_id();
    fc_command c = with_id(transfer(FC_OP_READ, read, static_cast<uint32_t>(in), 0, 8192, 100));
    c.flags |= FC_F_RESULT_ADD | FC_F_QUIET;
    c.result_var = 2;
    client.variable(2) = 7ull << 32;  // argument | bytes: the read adds the bytes
    client.post(c);
    c = after(with_id(transfer(FC_OP_CALL, put, service, 2, 8192, 0)), read);
    c.flags |= FC_F_VAR_OFFSET;
    c.op_flags = 1;
    client.post(c);
    c = after(with_id(transfer(FC_OP_CALL, get, service, 0, 12288, 100)), put);
    c.flags |= FC_F_RESULT_STORE;
    c.result_var = 3;
    c.op_flags = 2;
    client.post(c);
    c = after(transfer(FC_OP_WRITE, 4, static_cast<uint32_t>(out), 0, 12288, 3), get);
    c.flags |= FC_F_VAR_LENGTH;
    client.post(c);

    const fc_call first = server.next();
    EXPECT_EQ(first.op, 1u);
    EXPECT_EQ(first.argument, 7u);
    const std::string stored = server.request(first);
    EXPECT_EQ(stored, "from a file");
    EXPECT_EQ(server.reply(first, 0), 0);
    const fc_call second = server.next();
    EXPECT_EQ(second.op, 2u);
    EXPECT_EQ(server.reply(second, static_cast<int>(stored.size()), stored), 0);
    const auto events = client.collect(4);
    EXPECT_EQ(events.at(4).result, 11);
    EXPECT_EQ(dir.read("out"), "from a file");
}

TEST_P(ServiceTest, CallsWaitForSlotsInTurn) {
    TestServer server(*domain_, "busy", 1);
    TestClient greedy(*domain_), modest(*domain_);
    const uint32_t first = must_open_service(greedy, server, "busy");
    const uint32_t second = must_open_service(modest, server, "busy");
    for (uint64_t i = 0; i < 20; i++)
        greedy.post(service_call(greedy, i, first, "greedy " + std::to_string(i), 0, 8192 + i * 64));
    fc_call call = server.next();  // the only slot
    EXPECT_EQ(server.request(call), "greedy 0");
    greedy.run(nop(99));
    modest.post(service_call(modest, 1, second, "modest", 0));
    modest.run(nop(99));
    std::vector<std::string> order;
    for (int i = 0; i < 20; i++) {
        server.client.post(TestServer::reply_to(call.token, 0));
        // The reply's own event, and the next call's, in either order.
        for (int event_number = 0; event_number < 2; event_number++) {
            const fc_event event = server.client.wait().event;
            if (event.id != server.serve_id) continue;
            call = server.call_of(event);
            order.push_back(server.request(call));
        }
    }
    EXPECT_EQ(server.reply(call, 0), 0);
    ASSERT_EQ(order.size(), 20u);
    EXPECT_TRUE(order[0] == "modest" || order[1] == "modest")
        << "a caller with many calls holds up another's one";
    std::erase(order, "modest");
    for (size_t i = 0; i < order.size(); i++)
        EXPECT_EQ(order[i], "greedy " + std::to_string(i + 1));
    greedy.collect(20);
    EXPECT_EQ(modest.wait().event.result, 0);
}

// More slots than event slots: calls wait until the server has read events.
TEST_P(ServiceTest, CallsWaitForEventSlots) {
    TestServer server(*domain_, "few", 32, 256, {.command_slots = 8, .event_slots = 8});
    TestClient client(*domain_);
    const uint32_t service = must_open_service(client, server, "few");
    for (uint64_t i = 0; i < 24; i++)
        client.post(service_call(client, i, service, "x", 0));
    std::vector<fc_call> calls;
    for (int i = 0; i < 24; i++) {
        calls.push_back(server.next());
        server.client.ring();  // what a client does after reading events that are not bounded by its commands
    }
    for (const fc_call& call : calls)
        EXPECT_EQ(server.reply(call, 3), 0);
    for (const auto& [id, event] : client.collect(24))
        EXPECT_EQ(event.result, 3);
}

TEST_P(ServiceTest, SizesAreChecked) {
    TestServer server(*domain_, "sizes", 4, 128);
    TestClient client(*domain_);
    const uint32_t service = must_open_service(client, server, "sizes");
    EXPECT_EQ(client.run(service_call(client, 1, service, std::string(97, 'x'), 0)).result, -EMSGSIZE);
    client.post(service_call(client, 1, service, std::string(96, 'x'), 3));
    fc_call call = server.next();
    EXPECT_EQ(server.request(call), std::string(96, 'x'));
    EXPECT_EQ(server.reply(call, 4, "four"), -EMSGSIZE);
    EXPECT_EQ(client.wait().event.result, -EMSGSIZE);
    EXPECT_EQ(server.reply(call, 0), -ENOENT) << "the call is over";

    EXPECT_EQ(client.run(service_call(client, 1, service, "", FC_MAX_CALL_BYTES + 1)).result, -EINVAL);
    EXPECT_EQ(client.run(service_call(client, 1, service + 1, "", 0)).result, -EBADF);
    EXPECT_EQ(client.run(service_call(client, 1, FC_HANDLE_SHARE(0), "", 0)).result, -EBADF);
    fc_command c = service_call(client, 1, service, "x", 0);
    c.buffer = TestClient::kArenaBytes;
    EXPECT_EQ(client.run(c).result, -EFAULT);
    c = service_call(client, 1, service, "x", 100);
    c.buffer = TestClient::kArenaBytes - 50;
    EXPECT_EQ(client.run(c).result, -EFAULT) << "no room for the reply";
    c.region = 17;
    EXPECT_EQ(client.run(c).result, -EIDRM);
}

TEST_P(ServiceTest, ReplyNeedsItsOwnCallAndGoodMemory) {
    TestServer server(*domain_, "one", 2), other(*domain_, "two", 2);
    TestClient client(*domain_);
    const uint32_t service = must_open_service(client, server, "one");
    client.post(service_call(client, 1, service, "x", 10));
    const fc_call call = server.next();
    EXPECT_EQ(other.reply(call, 7), -ENOENT) << "another server's call";
    EXPECT_EQ(client.run(TestServer::reply_to(call.token, 7)).result, -ENOENT);
    const uint64_t real = call.token;
    for (const uint64_t token :
         {uint64_t{0}, ~uint64_t{0}, real + 1, real ^ uint64_t{1} << 16, real & 0xffff})
        EXPECT_EQ(server.client.run(TestServer::reply_to(token, 7)).result, -ENOENT) << token;
    EXPECT_EQ(server.client.run(TestServer::reply_to(call.token, -5000)).result, -EINVAL);
    EXPECT_EQ(server.reply(call, -EIO, "x"), -EINVAL) << "an error has no reply";
    fc_command c = TestServer::reply_to(call.token, 1, 4);
    c.buffer = TestClient::kArenaBytes - 2;
    EXPECT_EQ(server.client.run(c).result, -EFAULT);
    c.region = 99;
    EXPECT_EQ(server.client.run(c).result, -EIDRM);
    EXPECT_FALSE(client.poll()) << "all of these left the call alone";
    EXPECT_EQ(server.reply(call, 2, "ok"), 0);
    EXPECT_EQ(client.wait().event.result, 2);
}

TEST_P(ServiceTest, LayoutIsChecked) {
    TestClient client(*domain_);
    const auto serve = [&](const fc_serve& layout, uint64_t at = TestServer::kLayout) {
        fc_command c = TestServer::serve(client, "layout", 1, 64);
        if (at + sizeof(layout) <= TestClient::kArenaBytes)
            memcpy(client.arena() + at, &layout, sizeof(layout));
        c.offset = at;
        return client.run(c).result;
    };
    EXPECT_EQ(serve({{0, 0, 64}, 0, 0}), -EINVAL);
    EXPECT_EQ(serve({{0, 0, 64}, 65, 0}), -EINVAL);
    EXPECT_EQ(serve({{0, 0, 64}, 128, 0}), -EINVAL) << "no slot";
    EXPECT_EQ(serve({{0, 0, 64}, 64, 1}), -EINVAL);
    EXPECT_EQ(serve({{4, 0, 64}, 64, 0}), -EINVAL);
    EXPECT_EQ(serve({{0, 0, 1 << 20}, FC_MAX_SLOT_BYTES + 64, 0}), -EINVAL);
    EXPECT_EQ(serve({{0, 0, 1 << 20}, 64, 0}), -EINVAL) << "too many slots";
    EXPECT_EQ(serve({{TestClient::kArenaBytes, 0, 64}, 64, 0}), -EFAULT);
    EXPECT_EQ(serve({{~0ull - 7, 0, 64}, 64, 0}), -EFAULT);
    EXPECT_EQ(serve({{0, 5, 64}, 64, 0}), -EIDRM);
    EXPECT_EQ(serve({{0, 0, 64}, 64, 0}, TestServer::kLayout + 4), -EFAULT);
    EXPECT_EQ(serve({{0, 0, 64}, 64, 0}, TestClient::kArenaBytes), -EFAULT);
    fc_command c = TestServer::serve(client, "layout", 1, 64);
    c.flags = 0;
    EXPECT_EQ(client.run(c).result, -EINVAL) << "not multishot";
    c = TestServer::serve(client, std::string("a\0b", 3), 1, 64);
    EXPECT_EQ(client.run(c).result, -EINVAL);
    EXPECT_EQ(client.run(TestServer::serve(client, std::string(65, 'n'), 1, 64)).result, -ENAMETOOLONG);
    EXPECT_EQ(client.run(TestServer::serve(client, "", 1, 64)).result, -ENOENT);
    for (uint32_t i = 0; i < 16; i++)
        client.post(TestServer::serve(client, "service " + std::to_string(i), 1, 64)), client.run(nop(1));
    EXPECT_EQ(client.run(TestServer::serve(client, "service 16", 1, 64)).result, -EMFILE);
}

TEST_P(ServiceTest, CancelledCallsLeaveNothing) {
    TestServer server(*domain_, "slow", 1);
    TestClient client(*domain_);
    const uint32_t service = must_open_service(client, server, "slow");
    const uint64_t taken = client.new_id(), waiting = client.new_id(), last = client.new_id();
    client.post(with_id(service_call(client, taken, service, "taken", 100)));
    const fc_call call = server.next();
    client.post(with_id(service_call(client, waiting, service, "waiting", 0)));
    client.post(with_id(service_call(client, last, service, "last", 0, 4096)));
    for (const uint64_t id : {waiting, taken}) {
        client.post(cancel_of(id));
        const auto events = client.collect(2);
        EXPECT_EQ(events.count(id) + events.count(0xca9ce1), 2u);
    }
    settle(*domain_, server.client);  // its worker has been told, too: until then a reply might be taken
    memset(client.arena() + 8192, 'c', 100);
    EXPECT_EQ(server.reply(call, 3, "out"), -ENOENT) << "nobody waits any more";
    const fc_call next = server.next();
    EXPECT_EQ(server.request(next), "last");
    EXPECT_EQ(server.reply(next, 6), 0);
    EXPECT_EQ(client.wait().event.result, 6);
    EXPECT_EQ(client.arena()[8192], std::byte('c')) << "a late reply was written to the caller";
}

TEST_P(ServiceTest, DeathOfTheServerEndsEveryCall) {
    for (const int how : {0, 1, 2}) {
        SCOPED_TRACE(how);
        auto server = std::make_unique<TestServer>(*domain_, "mortal", 2);
        TestClient client(*domain_);
        const uint32_t service = must_open_service(client, *server, "mortal");
        for (uint64_t i = 0; i < 10; i++)
            client.post(service_call(client, i, service, "x", 8));
        server->next();
        client.run(nop(99));
        client.post(service_open(client, "mortal", 50));
        client.run(nop(99));
        if (how == 0) {
            server.reset();
        } else if (how == 1) {
            TestClient::call([&](ControlDone done) {
                domain_->destroy_channel(server->client.id(), server->client.channel(), done);
            });
        } else {
            server->client.post(cancel_of(server->serve_id));
            fc_event event{};
            do {
                event = server->client.wait().event;
            } while (event.id != server->serve_id || (event.flags & FC_E_MORE) != 0);
            EXPECT_EQ(event.result, -ECANCELED);
        }
        const auto events = client.collect(11);
        for (const auto& [id, event] : events)
            EXPECT_EQ(event.result, -ECONNRESET) << id;
        EXPECT_EQ(client.run(service_call(client, 1, service, "x", 8)).result, -EPIPE);
        EXPECT_EQ(client.run(close_of(service)).result, 0);
        const TestServer again(*domain_, "mortal", 1);
    }
}

TEST_P(ServiceTest, DeathOfACallerLeavesTheOthersAlone) {
    TestServer server(*domain_, "survivor", 1);
    TestClient stays(*domain_);
    auto dies = std::make_unique<TestClient>(*domain_);
    const uint32_t first = must_open_service(stays, server, "survivor");
    const uint32_t second = must_open_service(*dies, server, "survivor");
    for (uint64_t i = 0; i < 10; i++)
        dies->post(service_call(*dies, i, second, "dying", 100));
    const fc_call call = server.next();
    const uint32_t serial = dies->serial();
    dies->run(nop(99));
    stays.post(service_call(stays, 5, first, "staying", 0));
    stays.run(nop(99));
    EXPECT_EQ(dies->destroy().status, 0);
    dies.reset();  // with its memory
    // The death travels by messages: until it has arrived a reply is accepted, and dropped.
    const int late = server.reply(call, 5, "reply");
    EXPECT_TRUE(late == -ENOENT || late == 0) << late;
    bool closed = false, called = false;
    while (!closed || !called) {
        const fc_call next = server.next();
        if (next.kind == FC_CALL_CLOSE) {
            EXPECT_EQ(next.client, serial);
            closed = true;
        } else if (next.client == stays.serial()) {
            called = true;
        } else {
            EXPECT_FALSE(closed) << "a call after the notice";
        }
        server.reply(next, 0);
    }
    EXPECT_EQ(stays.wait().event.result, 0);
}

TEST_P(ServiceTest, ClosingTheHandleComesAfterItsLastCall) {
    TestServer server(*domain_, "last", 4);
    TestClient client(*domain_);
    const uint32_t service = must_open_service(client, server, "last");
    client.post(service_call(client, 1, service, "x", 0));
    const fc_call call = server.next();
    EXPECT_EQ(client.run(close_of(service)).result, 0);
    EXPECT_EQ(client.run(service_call(client, 2, service, "x", 0)).result, -EBADF);
    EXPECT_EQ(server.client.run(nop(1)).id, 1u) << "the notice came before the reply";
    EXPECT_EQ(server.reply(call, 1), 0);
    EXPECT_EQ(client.wait().event.result, 1) << "calls under way keep the session";
    const fc_call notice = server.next();
    EXPECT_EQ(notice.kind, static_cast<uint32_t>(FC_CALL_CLOSE));
    EXPECT_EQ(notice.client, client.serial());
    EXPECT_EQ(server.reply(notice, 0), 0);
}

// A caller that asks for more than the server takes is told so; others still get in.
TEST_P(ServiceTest, FloodIsRefusedAndHurtsNobodyElse) {
    TestServer server(*domain_, "flooded", 1, 4096);
    TestClient flood(*domain_, {.command_slots = 4096, .event_slots = 4096}), other(*domain_);
    const uint32_t first = must_open_service(flood, server, "flooded");
    const uint32_t second = must_open_service(other, server, "flooded");
    constexpr uint64_t kCalls = 3000;
    for (uint64_t i = 0; i < kCalls; i++)
        flood.post(service_call(flood, i, first, std::string(2000, 'f'), 0));
    fc_call call = server.next();
    uint64_t refused = 0, served = 0;
    flood.post(nop(kCalls));
    while (true) {
        const fc_event event = flood.wait().event;
        if (event.id == kCalls) break;
        EXPECT_EQ(event.result, -EAGAIN);
        refused++;
    }
    other.post(service_call(other, 1, second, "other", 0));
    other.run(nop(2));
    // The other's call comes second at the latest.
    bool seen = false;
    for (int i = 0; i < 3 && !seen; i++) {
        server.client.post(TestServer::reply_to(call.token, 1));
        for (int n = 0; n < 2; n++) {
            const fc_event event = server.client.wait().event;
            if (event.id != server.serve_id) continue;
            call = server.call_of(event);
            seen |= call.client == other.serial();
        }
        served++;
    }
    EXPECT_TRUE(seen);
    EXPECT_GT(refused, 0u);
    EXPECT_EQ(flood.destroy().status, 0);
}

TEST_P(ServiceTest, ServerMayCallItself) {
    TestServer server(*domain_, "self", 2);
    server.client.post(service_open(server.client, "self", 1));
    const fc_call open = server.next();
    server.client.post(TestServer::reply_to(open.token, 0));
    auto events = server.client.collect(2);
    const auto service = static_cast<uint32_t>(events.at(1).result);
    // The request overlaps the slot that it is copied to.
    fc_command c = transfer(FC_OP_CALL, 2, service, 100, TestServer::kSlots + 40, 100);
    server.client.post(c);
    const fc_call call = server.next();
    EXPECT_EQ(call.bytes, 100u);
    server.client.post(transfer(FC_OP_REPLY, 3, 50, call.token, TestServer::kSlots + 60, 50));
    events = server.client.collect(2);
    EXPECT_EQ(events.at(2).result, 50);
    server.client.post(transfer(FC_OP_CALL, 4, service, 10, 8192, 10));
    server.next();
    EXPECT_EQ(server.client.destroy().status, 0) << "its own call in hand";
}

// Servers and callers that do anything in any order and die at any time: exactly one event for each command,
// nobody hangs, and the engine goes down cleanly.
TEST_P(ServiceTest, RandomOperationsAndDeaths) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::atomic<bool> stop{false};
    const auto serve = [&](uint32_t number) {
        std::mt19937 random(seed + number);
        while (!stop) {
            TestServer server(*domain_, "random " + std::to_string(number), 1 + random() % 4, 128);
            for (uint32_t calls = random() % 400; calls > 0 && !stop;) {
                const auto event = server.client.poll();
                if (!event) {
                    std::this_thread::yield();
                    continue;
                }
                if (event->event.id != server.serve_id) continue;
                const fc_call call = server.call_of(event->event);
                calls--;
                if (random() % 16 == 0) continue;  // never answered, until it dies
                const int result = random() % 8 == 0 ? -EIO : static_cast<int>(random() % 5);
                const uint32_t bytes = result < 0 || call.kind != FC_CALL_OP ? 0 : random() % 20;
                server.client.post(TestServer::reply_to(call.token + (random() % 32 == 0), result, bytes));
                server.client.ring();
            }
        }
    };
    const auto call = [&](uint32_t number) {
        std::mt19937 random(seed + number);
        while (!stop) {
            TestClient client(*domain_);
            uint32_t service = 0, in_flight = 0;
            for (uint32_t steps = random() % 2000; steps > 0 && !stop; steps--) {
                while (const auto event = client.poll()) {
                    in_flight--;
                    if (event->event.id == 77 && event->event.result > 0)
                        service = static_cast<uint32_t>(event->event.result);
                }
                if (in_flight > 40) {
                    std::this_thread::yield();
                    continue;
                }
                in_flight++;
                const uint32_t what = random() % 16;
                if (what == 0 || service == 0) {
                    client.post(service_open(client, "random " + std::to_string(random() % 2)));
                } else if (what == 1) {
                    client.post(close_of(service));
                } else if (what == 2) {
                    client.post(
                        cancel_of((uint64_t{client.serial()} << FC_ID_BITS) + FC_ID_BLOCK + random() % 64));
                } else {
                    fc_command c = service_call(client, 1, service, "request", random() % 20);
                    c.id = client.new_id();
                    if (c.id % FC_ID_BLOCK != 0) c.flags |= FC_F_ID;
                    client.post(c);
                }
            }
        }
    };
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < 2; i++)
        threads.emplace_back(serve, i);
    for (uint32_t i = 2; i < 5; i++)
        threads.emplace_back(call, i);
    std::this_thread::sleep_for(std::chrono::seconds(2));
    stop = true;
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(domain_->client_count(), 0u);
    TestServer server(*domain_, "random 0", 1);
    TestClient client(*domain_);
    const uint32_t service = must_open_service(client, server, "random 0");
    client.post(service_call(client, 1, service, "x", 0));
    EXPECT_EQ(server.reply(server.next(), 8), 0);
    EXPECT_EQ(client.wait().event.result, 8);
}

}  // namespace
}  // namespace farcall::test
