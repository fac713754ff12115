// SPDX-License-Identifier: MIT
// libfarcall against a local server, through the socket.
#include <poll.h>

#include "host-lib/error.h"
#include "tests/local_rig.h"

namespace farcall::test {
namespace {

class LocalTest : public ::testing::Test {
  protected:
    LocalDirectory directory_;
    std::optional<LocalHost> host_{std::in_place, directory_};
};

TEST_F(LocalTest, ReadsAndWritesFilesOfItsShares) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client);
    const int in = open_path(client, channel, FC_HANDLE_SHARE(0), "hello", FC_OPEN_READ);
    ASSERT_GE(in, static_cast<int>(FC_FIRST_HANDLE));
    const client::Buffer region(client, 1 << 16, true);
    fc_command command;
    farcall_prep_read(&command, static_cast<uint32_t>(in), 0, region.region(), 100, 4096);
    ASSERT_EQ(run(channel, command), 6);
    EXPECT_EQ(memcmp(region.data() + 100, "hello\n", 6), 0);
    const int out = open_path(client, channel, FC_HANDLE_SHARE(1), "copy", FC_OPEN_WRITE | FC_OPEN_CREATE);
    ASSERT_GE(out, static_cast<int>(FC_FIRST_HANDLE));
    farcall_prep_write(&command, static_cast<uint32_t>(out), 0, region.region(), 100, 6);
    EXPECT_EQ(run(channel, command), 6);
    std::string line;
    std::getline(std::ifstream(directory_.path() + "/rw/copy"), line);
    EXPECT_EQ(line, "hello");
}

TEST_F(LocalTest, PathsCannotLeaveTheirShare) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client);
    EXPECT_EQ(open_path(client, channel, 0, "../rw", FC_OPEN_READ | FC_OPEN_DIRECTORY), -EXDEV);
    EXPECT_EQ(open_path(client, channel, 0, "/etc/passwd", FC_OPEN_READ), -EXDEV);
    EXPECT_EQ(open_path(client, channel, 0, "escape", FC_OPEN_READ), -EXDEV);
    EXPECT_EQ(open_path(client, channel, 0, "new", FC_OPEN_WRITE | FC_OPEN_CREATE), -EROFS);
    EXPECT_EQ(open_path(client, channel, 5, "hello", FC_OPEN_READ), -EBADF);
}

TEST_F(LocalTest, TwoClientsShareNothing) {
    client::Client one(directory_.where().c_str());
    auto two = std::make_unique<client::Client>(directory_.where().c_str());
    client::Channel channel(one);
    EXPECT_NE(one.info().serial, two->info().serial);
    {
        client::Channel other(*two);
        const int handle = open_path(*two, other, 0, "hello", FC_OPEN_READ);
        ASSERT_GE(handle, 0);
        fc_command command;
        farcall_prep_close(&command, static_cast<uint32_t>(handle));
        EXPECT_EQ(run(channel, command), -EBADF);
        EXPECT_EQ(run(other, command), 0);
    }
    two.reset();
    EXPECT_EQ(run_nop(channel, 3), 3);
    EXPECT_TRUE(
        eventually([&] { return host_->server->connections() == 1 && host_->domain->client_count() == 1; }));
}

/// One event slot for each command in flight, and no command slot used twice.
TEST_F(LocalTest, NeitherRingOverflows) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client, 8, 32);
    std::vector<uint64_t> ids;
    fc_command waiting;
    farcall_prep_event_wait(&waiting, farcall_event_id(channel.get()));
    while (farcall_post(channel.get(), &waiting) == 0) {
        ids.push_back(waiting.id);
        ASSERT_LE(ids.size(), 32u);
        waiting.id = farcall_event_id(channel.get());
    }
    EXPECT_GE(ids.size(), 8u);
    EXPECT_EQ(farcall_prepare(channel.get()), nullptr);
    client::Channel setter(client);
    for (uint64_t id : ids) {
        fc_command command;
        farcall_prep_event_set(&command, id, 9);
        // Another channel: nothing says that the host has taken the wait already.
        ASSERT_TRUE(eventually([&] { return run(setter, command) == 0; }));
    }
    fc_event events[64];
    ASSERT_EQ(farcall_poll(channel.get(), events, 64), static_cast<int>(ids.size()));
    for (size_t i = 0; i < ids.size(); i++)
        EXPECT_EQ(events[i].id, ids[i]);
    EXPECT_EQ(farcall_in_flight(channel.get()), 0u);
}

TEST_F(LocalTest, BatchesPostInOrderWithOneDoorbell) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client, 64, 64);
    for (uint64_t round = 0; round < 1000; round++) {
        fc_command* command = nullptr;
        for (uint64_t i = 0; (command = farcall_prepare(channel.get())) != nullptr; i++) {
            farcall_prep_nop(command, 0);
            farcall_set_data(command, i);
        }
        ASSERT_EQ(farcall_submit(channel.get()), 64);
        fc_event event;
        for (uint64_t i = 0; i < 64;) {
            ASSERT_EQ(farcall_wait(channel.get(), 10'000'000'000), 0);
            for (; farcall_poll(channel.get(), &event, 1) == 1; i++)
                ASSERT_EQ(event.id, i);
        }
    }
    farcall_counters counters;
    farcall_get_counters(channel.get(), &counters);
    EXPECT_EQ(counters.posts, 64000u);
    EXPECT_EQ(counters.events, 64000u);
    EXPECT_LE(counters.doorbells, 1000u);
}

TEST_F(LocalTest, EventIdsComeInBulk) {
    client::Client client(directory_.where().c_str());
    client::Channel one(client);
    client::Channel two(client);
    farcall_counters before, after;
    farcall_get_counters(one.get(), &before);
    uint64_t last = 0;
    for (int i = 0; i < 4096; i++) {
        const uint64_t id = farcall_event_id(one.get());
        ASSERT_EQ(id >> FC_ID_BITS, client.info().serial);
        ASSERT_GT(id, last);
        last = id;
    }
    farcall_get_counters(one.get(), &after);
    EXPECT_EQ(after.system_calls - before.system_calls, 1u);
    EXPECT_GT(farcall_event_id(two.get()), last);
}

TEST_F(LocalTest, WaitTimesOutAndDescriptorPolls) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client);
    EXPECT_EQ(farcall_wait(channel.get(), 0), -ETIME);
    EXPECT_EQ(farcall_wait(channel.get(), 5'000'000), -ETIME);
    fc_command command;
    farcall_prep_timer(&command, 20'000'000, 0);
    ASSERT_EQ(farcall_post(channel.get(), &command), 0);
    ASSERT_EQ(farcall_channel_arm(channel.get()), 0);
    pollfd entry{farcall_channel_fd(channel.get()), POLLIN, 0};
    ASSERT_EQ(poll(&entry, 1, 5000), 1);
    EXPECT_EQ(farcall_channel_arm(channel.get()), 1);
    fc_event event;
    EXPECT_EQ(farcall_poll(channel.get(), &event, 1), 1);
}

TEST_F(LocalTest, TimestampsAreOrdered) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client, 0, 0, FC_CHANNEL_TIMESTAMPS);
    fc_command command;
    farcall_prep_timer(&command, 3'000'000, 0);
    ASSERT_EQ(farcall_post(channel.get(), &command), 0);
    ASSERT_EQ(farcall_wait(channel.get(), 5'000'000'000), 0);
    fc_event_ts event;
    ASSERT_EQ(farcall_poll_ts(channel.get(), &event, 1), 1);
    EXPECT_GT(event.picked_up, 0u);
    EXPECT_GE(event.completed_after, 3'000'000u);
    EXPECT_LE(event.started_after, event.completed_after);
    client::Channel plain(client);
    EXPECT_EQ(farcall_poll_ts(plain.get(), &event, 1), -EINVAL);
}

TEST_F(LocalTest, ServerThatClosesWakesItsClients) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client);
    fc_command command;
    farcall_prep_event_wait(&command, farcall_event_id(channel.get()));
    ASSERT_EQ(farcall_post(channel.get(), &command), 0);
    std::thread closer([&] {
        std::this_thread::sleep_for(50ms);
        host_->server.reset();
    });
    int rc = 0;
    fc_event event;
    while ((rc = farcall_wait(channel.get(), 10'000'000'000)) == 0)
        farcall_poll(channel.get(), &event, 1);
    EXPECT_EQ(rc, -EPIPE);
    closer.join();
    EXPECT_EQ(farcall_poll(channel.get(), &event, 1), -EPIPE);
    EXPECT_EQ(farcall_post(channel.get(), &command), -EPIPE);
    farcall_region region;
    EXPECT_EQ(farcall_region_alloc(client.get(), 4096, &region), -EPIPE);
    EXPECT_EQ(host_->domain->client_count(), 0u);
}

TEST_F(LocalTest, ForkedChildIsRefused) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client);
    const pid_t child = in_child([&] {
        fc_command command;
        farcall_prep_nop(&command, 0);
        fc_event event;
        farcall_region region;
        return farcall_post(channel.get(), &command) == -EPERM &&
                       farcall_poll(channel.get(), &event, 1) == -EPERM &&
                       farcall_wait(channel.get(), 0) == -EPERM &&
                       farcall_arena(client.get(), nullptr) == nullptr &&
                       farcall_region_alloc(client.get(), 4096, &region) == -EPERM
                   ? 0
                   : 1;
    });
    EXPECT_EQ(exit_status(child), 0);
    // And one that cleans up its copies leaves the parent's alone.
    EXPECT_EQ(exit_status(in_child([&] {
                  farcall_channel_destroy(channel.get());
                  farcall_close(client.get());
                  return 0;
              })),
              0);
    EXPECT_EQ(run_nop(channel, 5), 5);
}

client::Task<int> sleeper(client::Channel& channel, int& running, int& most) {
    most = std::max(most, ++running);
    const int result = co_await channel.sleep(1'000'000);
    running--;
    co_return result;
}

TEST_F(LocalTest, CoroutinesOverlapAndOutnumberSlots) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client, 8, 8);
    int running = 0, most = 0;
    std::vector<client::Task<int>> tasks;
    for (int i = 0; i < 100; i++)
        tasks.push_back(sleeper(channel, running, most));
    for (client::Task<int>& task : tasks)
        EXPECT_EQ(channel.run(std::move(task)), 0);
    EXPECT_EQ(most, 100);
}

TEST_F(LocalTest, CoroutinesLearnThatTheServerIsGone) {
    client::Client client(directory_.where().c_str());
    client::Channel channel(client);
    auto task = [](client::Channel& c) -> client::Task<int> {
        const int first = co_await c.sleep(3600'000'000'000ull);
        const int second = co_await c.sleep(1);
        co_return first == -EPIPE || first == -ECANCELED ? second : 0;
    }(channel);
    while (channel.step(1'000'000) == 0) {
    }
    host_->server.reset();
    EXPECT_EQ(channel.run(std::move(task)), -EPIPE);
}

TEST(LocalServerTest, ReplacesStaleSocketsOnly) {
    LocalDirectory directory;
    LocalHost host(directory);
    LocalServerConfig config;
    config.path = directory.socket();
    EXPECT_THROW(LocalServer(*host.domain, config), Error);
    host.server.reset();
    EXPECT_FALSE(std::filesystem::exists(directory.socket()));
    // What a killed server leaves behind.
    EXPECT_EQ(exit_status(in_child([&] {
                  sockaddr_un address{};
                  address.sun_family = AF_UNIX;
                  directory.socket().copy(address.sun_path, sizeof(address.sun_path) - 1);
                  const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
                  return bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? 0 : 1;
              })),
              0);
    EXPECT_TRUE(std::filesystem::exists(directory.socket()));
    EXPECT_NO_THROW(LocalServer(*host.domain, config));
    std::ofstream(directory.socket()) << "not a socket";
    EXPECT_THROW(LocalServer(*host.domain, config), Error);
    EXPECT_TRUE(std::filesystem::exists(directory.socket()));
}

}  // namespace
}  // namespace farcall::test
