// SPDX-License-Identifier: MIT
// Over the local transport: processes that leave work behind, and processes that wait for each other.
#include "tests/local_rig.h"

namespace farcall::test {
namespace {

class LocalDetachTest : public ::testing::Test {
  protected:
    LocalDirectory directory_;
    std::optional<LocalHost> host_{std::in_place, directory_};

    std::string read(const std::string& path) {
        std::ifstream in(directory_.path() + "/" + path);
        return {std::istreambuf_iterator<char>(in), {}};
    }
};

/// Copies ro/hello to rw/`name`, `ns` from now, and does not wait for it.
int post_copy(client::Client& client, client::Channel& channel, const std::string& name, uint64_t ns) {
    const int in = open_path(client, channel, FC_HANDLE_SHARE(0), "hello", FC_OPEN_READ);
    const int out = open_path(client, channel, FC_HANDLE_SHARE(1), name, FC_OPEN_WRITE | FC_OPEN_CREATE);
    if (in < 0 || out < 0) return -1;
    const client::Buffer buffer(client, 4096);
    fc_command command;
    const uint64_t start = farcall_event_id(channel.get()), moved = farcall_event_id(channel.get());
    farcall_prep_timer(&command, ns, 0);
    farcall_set_id(&command, start);
    farcall_detach(&command);
    if (farcall_post(channel.get(), &command) != 0) return -1;
    farcall_prep_read(&command, static_cast<uint32_t>(in), 0, buffer.region(), buffer.offset(), 6);
    farcall_set_id(&command, moved);
    farcall_after(&command, start);
    farcall_detach(&command);
    if (farcall_post(channel.get(), &command) != 0) return -1;
    farcall_prep_write(&command, static_cast<uint32_t>(out), 0, buffer.region(), buffer.offset(), 6);
    farcall_after(&command, moved);
    farcall_detach(&command);
    return farcall_post(channel.get(), &command);
}

TEST_F(LocalDetachTest, GoesOnWhenTheProcessHasExited) {
    const pid_t pid = in_child([&]() -> int {
        client::Client client(directory_.where().c_str());
        client::Channel channel(client);
        const int posted = post_copy(client, channel, "exited", 50'000'000);
        _exit(posted == 0 ? 0 : 1);  // without a word to the server
    });
    ASSERT_EQ(exit_status(pid), 0);
    EXPECT_TRUE(eventually([&] { return read("rw/exited") == "hello\n"; }));
    EXPECT_TRUE(
        eventually([&] { return host_->domain->client_count() == 0 && host_->server->connections() == 0; }));
}

TEST_F(LocalDetachTest, GoesOnWhenTheClientIsClosed) {
    {
        client::Client client(directory_.where().c_str());
        client::Channel channel(client);
        ASSERT_EQ(post_copy(client, channel, "closed", 50'000'000), 0);
    }
    client::Client another(directory_.where().c_str());  // the server is not held up
    client::Channel channel(another);
    EXPECT_EQ(run_nop(channel, 3), 3);
    EXPECT_TRUE(eventually([&] { return read("rw/closed") == "hello\n"; }));
}

TEST_F(LocalDetachTest, TheServersEndDoesNotWaitForIt) {
    {
        client::Client client(directory_.where().c_str());
        client::Channel channel(client);
        ASSERT_EQ(post_copy(client, channel, "late", 3600'000'000'000), 0);
    }
    client::Client open(directory_.where().c_str());
    client::Channel channel(open);
    ASSERT_EQ(post_copy(open, channel, "later", 3600'000'000'000), 0);
    ASSERT_EQ(run_nop(channel, 1), 1);
    host_->server.reset();
    EXPECT_EQ(host_->domain->client_count(), 0u);
    EXPECT_EQ(read("rw/late"), "");
}

TEST_F(LocalDetachTest, ProcessesWaitForEachOthersEvents) {
    client::Client one(directory_.where().c_str());
    client::Channel channel(one);
    farcall_options options{};
    options.near_serial = one.info().serial;
    client::Client two(directory_.where().c_str(), options);
    client::Channel other(two);
    const uint64_t event = farcall_event_id(channel.get());
    fc_command command;
    farcall_prep_event_share(&command, event, 1, two.info().serial);
    ASSERT_EQ(run(channel, command), 0);
    farcall_prep_event_wait(&command, event);
    ASSERT_EQ(farcall_post(channel.get(), &command), 0);
    farcall_prep_nop(&command, 4);
    farcall_after(&command, event);
    farcall_set_deadline(&command, 4'000'000'000u);
    ASSERT_EQ(farcall_post(other.get(), &command), 0);
    EXPECT_EQ(farcall_wait(other.get(), 20'000'000), -ETIME);
    client::Channel setter(one);
    farcall_prep_event_set(&command, event, 0);
    ASSERT_TRUE(eventually([&] { return run(setter, command) == 0; }));
    fc_event done{};
    ASSERT_EQ(farcall_wait(other.get(), 10'000'000'000), 0);
    ASSERT_EQ(farcall_poll(other.get(), &done, 1), 1);
    EXPECT_EQ(done.result, 4);

    options.near_serial = 0xffffff;
    farcall_client* nobody = nullptr;
    EXPECT_EQ(farcall_open(directory_.where().c_str(), &options, &nobody), -ENOENT);
}

}  // namespace
}  // namespace farcall::test
