// SPDX-License-Identifier: MIT
// Services between processes, over the local transport: the library's server, the example, and a server that
// is killed.
#include <algorithm>
#include <cstring>

#include "tests/local_rig.h"

namespace farcall::test {
namespace {

struct LocalServiceTest : ::testing::TestWithParam<unsigned> {
    LocalServiceTest() {
        EngineConfig config = LocalHost::engine_config();
        config.workers = GetParam();
        host_.emplace(directory_, LocalServerConfig{}, StreamConfig{}, config);
    }
    LocalDirectory directory_;
    std::optional<LocalHost> host_;

    /// A child that serves `name` with `body`, which is called for each request; ready when this returns.
    template <typename Body>
    pid_t serve(const std::string& name, unsigned slots, unsigned bytes, Body body) {
        int ready[2];
        EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
        const pid_t child = in_child([&] {
            client::Client client(directory_.where().c_str());
            farcall_service* service = nullptr;
            if (farcall_service_create(client.get(), name.c_str(), slots, bytes, &service) < 0) return 1;
            if (write(ready[1], "x", 1) != 1) return 2;
            farcall_request request;
            int rc = 0;
            while ((rc = farcall_service_next(service, &request, -1)) == 1)
                body(service, request);
            return -rc;
        });
        close(ready[1]);
        char byte = 0;
        EXPECT_EQ(read(ready[0], &byte, 1), 1) << "the server did not start";
        close(ready[0]);
        return child;
    }
    static int open_service(client::Client& client, client::Channel& channel, const std::string& name) {
        const client::Buffer buffer(client, name.size());
        name.copy(reinterpret_cast<char*>(buffer.data()), name.size());
        fc_command command;
        farcall_prep_service_open(&command, buffer.region(), buffer.offset(),
                                  static_cast<uint32_t>(name.size()));
        return run(channel, command);
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, LocalServiceTest, testing::Values(1u, 2u));

void kill_and_reap(pid_t child) {
    kill(child, SIGKILL);
    EXPECT_EQ(exit_status(child), 1000 + SIGKILL);
}

TEST_P(LocalServiceTest, ServerProcessKnowsItsClientsAndAnswers) {
    const auto reverse = [](farcall_service* service, const farcall_request& request) {
        if (request.kind == FC_CALL_OPEN) {
            fc_peer peer;
            std::memcpy(&peer, request.data, sizeof(peer));
            const bool known = peer.flags == FC_PEER_KNOWN && peer.uid == getuid() &&
                               peer.pid == static_cast<uint32_t>(getppid());
            farcall_service_reply(service, &request, known ? 0 : -EACCES, 0);
            return;
        }
        auto* text = static_cast<char*>(request.data);
        std::reverse(text, text + request.bytes);
        farcall_service_reply(service, &request, static_cast<int>(request.bytes), request.bytes);
    };
    const pid_t server = serve("reverse", 4, 100, reverse);
    client::Client client(directory_.where().c_str());
    client::Channel channel(client);
    const int service = open_service(client, channel, "reverse");
    ASSERT_GT(service, 0) << "refused: it does not know who we are";
    const client::Buffer buffer(client, 100);
    fc_command command;
    for (int i = 0; i < 1000; i++) {
        std::memcpy(buffer.data(), "abcdef", 6);
        farcall_prep_call(&command, static_cast<uint32_t>(service), 0, 0, buffer.region(), buffer.offset(), 6,
                          100);
        ASSERT_EQ(run(channel, command), 6);
        ASSERT_EQ(std::memcmp(buffer.data(), "fedcba", 6), 0);
    }
    kill_and_reap(server);
}

// Killed with calls in its hands, in its queue and on their way: each completes with an error.
TEST_P(LocalServiceTest, KilledServerFailsEveryCommand) {
    const auto hold = [](farcall_service* service, const farcall_request& request) {
        if (request.kind == FC_CALL_OPEN) farcall_service_reply(service, &request, 0, 0);
    };
    const pid_t server = serve("holds", 4, 100, hold);
    client::Client client(directory_.where().c_str());
    client::Channel channel(client);
    const int service = open_service(client, channel, "holds");
    ASSERT_GT(service, 0);
    const client::Buffer buffer(client, 100);
    fc_command command;
    constexpr int kCalls = 20;
    uint64_t last = 0;
    for (int i = 0; i < kCalls; i++) {
        farcall_prep_call(&command, static_cast<uint32_t>(service), 0, 0, buffer.region(), buffer.offset(), 6,
                          100);
        last = farcall_event_id(channel.get());
        farcall_set_id(&command, last);
        ASSERT_EQ(farcall_post(channel.get(), &command), 0);
    }
    farcall_prep_nop(&command, 0);
    farcall_after(&command, last);
    ASSERT_EQ(farcall_post(channel.get(), &command), 0);
    std::this_thread::sleep_for(20ms);
    kill_and_reap(server);
    int connection_reset = 0;
    for (int seen = 0; seen <= kCalls;) {
        ASSERT_EQ(farcall_wait(channel.get(), 10'000'000'000), 0) << "a command hangs";
        fc_event events[32];
        const int count = farcall_poll(channel.get(), events, 32);
        for (int i = 0; i < count; i++, seen++)
            connection_reset += events[i].result == -ECONNRESET;
    }
    EXPECT_EQ(connection_reset, kCalls) << "and the command behind the last one was cancelled";
    farcall_prep_call(&command, static_cast<uint32_t>(service), 0, 0, buffer.region(), buffer.offset(), 6,
                      100);
    EXPECT_EQ(run(channel, command), -EPIPE);
    const pid_t next = serve("holds", 4, 100, hold);
    EXPECT_GT(open_service(client, channel, "holds"), 0) << "the name is free again";
    kill_and_reap(next);
}

TEST_P(LocalServiceTest, KilledCallersLeaveTheServerAtWork) {
    const auto slow = [](farcall_service* service, const farcall_request& request) {
        if (request.kind == FC_CALL_OP) usleep(500);
        farcall_service_reply(service, &request, 7, 0);
    };
    const pid_t server = serve("works", 2, 1000, slow);
    for (int round = 0; round < 5; round++) {
        const pid_t caller = in_child([&] {
            client::Client client(directory_.where().c_str());
            client::Channel channel(client);
            const auto service = static_cast<uint32_t>(open_service(client, channel, "works"));
            const client::Buffer buffer(client, 1000);
            for (;;) {
                fc_command command;
                farcall_prep_call(&command, service, 0, 0, buffer.region(), buffer.offset(), 1000, 1000);
                if (farcall_post(channel.get(), &command) == 0) continue;
                fc_event events[32];
                farcall_wait(channel.get(), -1);
                farcall_poll(channel.get(), events, 32);
            }
            return 0;
        });
        std::this_thread::sleep_for(20ms);
        kill_and_reap(caller);
    }
    client::Client client(directory_.where().c_str());
    client::Channel channel(client);
    EXPECT_GT(open_service(client, channel, "works"), 0);
    EXPECT_TRUE(eventually([&] { return host_->domain->client_count() == 2; }));
    kill_and_reap(server);
}

// More calls at once than the server's channel has slots for replies, and a server that collects before it
// answers.
TEST_P(LocalServiceTest, LibraryServerKeepsUp) {
    const auto echo = [](farcall_service* service, const farcall_request& request) {
        farcall_service_reply(service, &request, static_cast<int>(request.argument), 0);
    };
    const pid_t server = serve("keeps up", 64, 64, echo);
    client::Client client(directory_.where().c_str());
    client::Channel channel(client, 1024, 1024);
    const auto service = static_cast<uint32_t>(open_service(client, channel, "keeps up"));
    constexpr uint32_t kCalls = 20000;
    uint32_t posted = 0, seen = 0;
    while (seen < kCalls) {
        fc_command command;
        farcall_prep_call(&command, service, 0, posted, 0, 0, 0, 0);
        farcall_set_data(&command, posted);
        if (posted < kCalls && posted - seen < 200 && farcall_post(channel.get(), &command) == 0) {
            posted++;
            continue;
        }
        ASSERT_EQ(farcall_wait(channel.get(), 10'000'000'000), 0) << seen;
        fc_event events[64];
        const int count = farcall_poll(channel.get(), events, 64);
        for (int i = 0; i < count; i++, seen++)
            ASSERT_EQ(events[i].result, static_cast<int>(events[i].id));
    }
    kill_and_reap(server);
}

class KvTest : public LocalServiceTest {
  protected:
    int kv(const std::string& arguments) {
        const std::string line = "FARCALL='" + directory_.where() + "' '" FARCALL_KV_PROGRAM "' " +
                                 arguments + " >'" + directory_.path() + "/stdout' 2>'" + directory_.path() +
                                 "/stderr'";
        const int status = std::system(line.c_str());
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    std::string text(const std::string& name) {
        std::ifstream in(directory_.path() + "/" + name);
        return {std::istreambuf_iterator<char>(in), {}};
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, KvTest, testing::Values(1u, 2u));

TEST_P(KvTest, ExampleStoresAndCopiesInOneChain) {
    EXPECT_EQ(kv("get key"), 1) << "no server yet";
    const pid_t server = fork();
    if (server == 0) {
        setenv("FARCALL", directory_.where().c_str(), 1);
        if (freopen("/dev/null", "w", stdout) == nullptr) _exit(126);
        execl(FARCALL_KV_PROGRAM, "farcall-kv", "serve", nullptr);
        _exit(127);
    }
    ASSERT_TRUE(eventually([&] { return kv("put key value") == 0; })) << text("stderr");
    EXPECT_EQ(kv("get key"), 0) << text("stderr");
    EXPECT_EQ(text("stdout"), "value");
    EXPECT_EQ(kv("delete key"), 0);
    EXPECT_EQ(kv("get key"), 1);
    EXPECT_EQ(kv("copy hello greeting 1:out"), 0) << text("stderr");
    EXPECT_NE(text("stdout").find("bytes: 6"), std::string::npos) << text("stdout");
    EXPECT_EQ(text("rw/out"), "hello\n");
    EXPECT_EQ(kv("get greeting"), 0);
    EXPECT_EQ(text("stdout"), "hello\n");
    EXPECT_EQ(kv("copy nonexistent greeting 1:out"), 1);
    std::ofstream(directory_.path() + "/ro/large") << std::string(70000, 'x');
    EXPECT_EQ(kv("copy large large 1:out"), 1) << "longer than a call";
    kill(server, SIGTERM);
    EXPECT_EQ(exit_status(server), 1000 + SIGTERM);
}

}  // namespace
}  // namespace farcall::test
