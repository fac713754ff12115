// SPDX-License-Identifier: MIT
// The local server against clients that die, lie and break its protocol.
#include "tests/local_rig.h"

namespace farcall::test {
namespace {

/// A client that writes control messages by hand.
class RawClient {
  public:
    explicit RawClient(const LocalDirectory& directory)
        : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        directory.socket().copy(address.sun_path, sizeof(address.sun_path) - 1);
        EXPECT_EQ(connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
        timeval limit{5, 0};
        setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    }

    void send(const void* data, size_t bytes, const std::vector<int>& fds = {}) {
        alignas(cmsghdr) char space[CMSG_SPACE(8 * sizeof(int))] = {};
        iovec vector{const_cast<void*>(data), bytes};
        msghdr message{};
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = space;
            message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
            memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
        }
        sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    }

    /// The answer's status; 1 when the server closed the connection.
    int ask(fc_control control, const std::vector<int>& fds = {}) {
        send(&control, sizeof(control), fds);
        return receive();
    }
    int receive() {
        ssize_t got;
        do {  // an io_uring of this process, too, may interrupt a call
            got = recv(socket_.get(), &answer, sizeof(answer), 0);
        } while (got < 0 && errno == EINTR);
        return got == sizeof(answer) ? answer.status : 1;
    }

    int hello(int memory, uint64_t bytes = 1 << 20, uint64_t version = FC_ABI_VERSION,
              uint64_t features = 0) {
        fc_control control{};
        control.op = FC_CTL_HELLO;
        control.arg[0] = version;
        control.arg[1] = features;
        control.arg[2] = bytes;
        return ask(control, {memory});
    }
    fc_control request(uint32_t op) const {
        fc_control control{};
        control.op = op;
        control.client = client;
        return control;
    }
    void become_client(int memory) {
        ASSERT_EQ(hello(memory), 0);
        ASSERT_EQ(ask(request(FC_CTL_CLIENT_CREATE)), 0);
        client = answer.client;
    }

    fc_control answer{};
    uint32_t client = 0;

  private:
    UniqueFd socket_;
};

UniqueFd memory(uint64_t bytes, int seals = F_SEAL_SHRINK) {
    UniqueFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
    EXPECT_TRUE(seals == 0 || fcntl(fd.get(), F_ADD_SEALS, seals) == 0);
    return fd;
}

class LocalHostileTest : public ::testing::Test {
  protected:
    /// Another client, which must never notice anything.
    void TearDown() override {
        EXPECT_EQ(run_nop(channel_, 77), 77);
        EXPECT_TRUE(eventually([&] { return host_.server->connections() == 1; }));
        EXPECT_TRUE(eventually([&] { return host_.domain->client_count() == 1; }));
    }
    LocalDirectory directory_;
    LocalHost host_{directory_};
    client::Client client_{directory_.where().c_str()};
    client::Channel channel_{client_};
    UniqueFd memory_ = memory(1 << 20);
};

TEST_F(LocalHostileTest, MalformedMessagesCloseTheConnection) {
    const fc_control control{};
    const char longer[sizeof(fc_control) + 100] = {};
    const std::vector<int> many(6, memory_.get());
    {
        RawClient raw(directory_);
        raw.send(&control, 10);
        EXPECT_EQ(raw.receive(), 1);
    }
    {
        RawClient raw(directory_);
        raw.send(longer, sizeof(longer));
        EXPECT_EQ(raw.receive(), 1);
    }
    {
        RawClient raw(directory_);
        EXPECT_EQ(raw.ask(raw.request(FC_CTL_HELLO), {}), 1) << "HELLO without memory";
    }
    {
        RawClient raw(directory_);
        EXPECT_EQ(raw.ask(raw.request(FC_CTL_HELLO), {memory_.get(), memory_.get()}), 1);
    }
    {
        RawClient raw(directory_);
        EXPECT_EQ(raw.ask(raw.request(FC_CTL_HELLO), many), 1) << "more descriptors than there is room for";
    }
    {
        RawClient raw(directory_);
        raw.become_client(memory_.get());
        EXPECT_EQ(raw.ask(raw.request(FC_CTL_EVENT_IDS), {memory_.get()}), 1)
            << "a descriptor where none belongs";
    }
}

TEST_F(LocalHostileTest, WrongFieldsAreRefused) {
    RawClient raw(directory_);
    EXPECT_EQ(raw.ask(raw.request(FC_CTL_CLIENT_CREATE)), -EPROTO) << "before HELLO";
    EXPECT_EQ(raw.hello(memory_.get(), 1 << 20, 99), -EPROTO);
    EXPECT_EQ(raw.answer.arg[0], FC_ABI_VERSION);
    EXPECT_EQ(raw.hello(memory_.get(), 1 << 20, FC_ABI_VERSION, 1ull << 60), -ENOTSUP);
    EXPECT_EQ(raw.answer.arg[1], FC_FEATURE_ALL);
    EXPECT_EQ(raw.hello(memory_.get()), 0);
    EXPECT_EQ(raw.hello(memory_.get()), -EINVAL) << "twice";
    EXPECT_EQ(raw.ask(raw.request(FC_CTL_EVENT_IDS)), -ENOENT) << "no client yet";
    fc_control control = raw.request(FC_CTL_CLIENT_CREATE);
    control.flags = FC_CLIENT_STREAMS;
    EXPECT_EQ(raw.ask(control), -EPERM);
    control.flags = FC_CLIENT_KERNEL;
    EXPECT_EQ(raw.ask(control), -EINVAL) << "for guests only";
    control.flags = FC_CLIENT_NEAR;
    EXPECT_EQ(raw.ask(control), -EINVAL) << "near nobody";
    control.arg[0] = 0xffffff;
    EXPECT_EQ(raw.ask(control), -ENOENT);
    control.flags = 0;
    EXPECT_EQ(raw.ask(control), -EINVAL) << "a serial without the flag";
    ASSERT_EQ(raw.ask(raw.request(FC_CTL_CLIENT_CREATE)), 0);
    raw.client = raw.answer.client;
    control = raw.request(FC_CTL_CLIENT_CREATE);
    control.client = 0;
    EXPECT_EQ(raw.ask(control), -EINVAL) << "twice";
    for (const uint32_t op : {0u, 9u, 10u, 4711u})
        EXPECT_EQ(raw.ask(raw.request(op)), -EINVAL) << op;
    control = raw.request(FC_CTL_EVENT_IDS);
    control.arg[0] = 10;
    control.reserved = 1;
    EXPECT_EQ(raw.ask(control), -EINVAL);
    control.reserved = 0;
    control.arg[4] = 1;
    EXPECT_EQ(raw.ask(control), -EINVAL);
    control.arg[4] = 0;
    control.client = raw.client + 1;
    EXPECT_EQ(raw.ask(control), -ENOENT);
    control.client = raw.client;
    EXPECT_EQ(raw.ask(control), 0);
}

TEST_F(LocalHostileTest, MemoryThatCouldVanishIsRefused) {
    RawClient raw(directory_);
    EXPECT_EQ(raw.hello(memory(1 << 20, 0).get()), -EINVAL) << "unsealed";
    EXPECT_EQ(raw.hello(memory(1 << 20, F_SEAL_GROW).get()), -EINVAL) << "may shrink";
    EXPECT_EQ(raw.hello(memory(4096).get()), -EINVAL) << "shorter than it says";
    EXPECT_EQ(raw.hello(memory_.get(), 0), -EINVAL);
    EXPECT_EQ(raw.hello(memory_.get(), 4097), -EINVAL);
    EXPECT_EQ(raw.hello(memory_.get(), 1ull << 63), -EINVAL);
    const UniqueFd file(open((directory_.path() + "/ro/hello").c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(raw.hello(file.get()), -EINVAL) << "a file";
    EXPECT_EQ(raw.hello(memory(1 << 20, F_SEAL_SHRINK | F_SEAL_WRITE).get()), -EINVAL) << "read-only";
    EXPECT_EQ(raw.hello(memory(1ull << 40).get(), 1ull << 40), -E2BIG);
    EXPECT_EQ(raw.hello(memory_.get()), 0);
}

TEST_F(LocalHostileTest, AddressesOutsideTheMemoryAreRefused) {
    RawClient raw(directory_);
    raw.become_client(memory_.get());
    fc_control control = raw.request(FC_CTL_REGION_ADD);
    control.flags = FC_REGION_ARENA | FC_REGION_WRITE;
    control.arg[0] = 1 << 20;
    control.arg[2] = 4096;
    EXPECT_EQ(raw.ask(control), -EFAULT);
    control.arg[0] = 4096;
    control.arg[2] = ~0ull;
    EXPECT_EQ(raw.ask(control), -EFAULT);
    control.arg[0] = 0;
    control.arg[2] = 4096;
    ASSERT_EQ(raw.ask(control), 0);
    control = raw.request(FC_CTL_CHANNEL_CREATE);
    control.arg[0] = 4096;
    control.arg[1] = 1 << 20;
    control.arg[2] = 8 | 8ull << 32;
    EXPECT_EQ(raw.ask(control), -EFAULT);
    control.arg[1] = 8192;
    control.arg[0] = 4100;
    EXPECT_EQ(raw.ask(control), -EFAULT);
    control.arg[0] = 4096;
    control.arg[2] = 4096 | 16384ull << 32;
    EXPECT_EQ(raw.ask(control), -EINVAL) << "memory too small for its slots";
    control.arg[2] = 8 | 8ull << 32;
    control.arg[1] = 4096 + 8 * 64 + 8 * 16;
    EXPECT_EQ(raw.ask(control), 0);
}

TEST_F(LocalHostileTest, RequestsWithoutReadingAnswersEndTheConnection) {
    RawClient raw(directory_);
    raw.become_client(memory_.get());
    const fc_control control = raw.request(4711);
    for (int i = 0; i < 20000; i++)
        raw.send(&control, sizeof(control));
}

TEST_F(LocalHostileTest, KilledClientLeavesNothing) {
    int ready[2];
    ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
    const pid_t child = in_child([&] {
        client::Client client(directory_.where().c_str());
        client::Channel channel(client);
        fc_command command;
        for (int i = 0; i < 10; i++) {
            farcall_prep_event_wait(&command, farcall_event_id(channel.get()));
            farcall_post(channel.get(), &command);
            farcall_prep_timer(&command, 3600'000'000'000ull, 0);
            farcall_post(channel.get(), &command);
        }
        run_nop(channel, 1);
        if (write(ready[1], "x", 1) != 1) return 1;
        for (;;)
            pause();
    });
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    EXPECT_EQ(host_.domain->client_count(), 2u);
    kill(child, SIGKILL);
    EXPECT_EQ(exit_status(child), 1000 + SIGKILL);
    close(ready[0]);
    close(ready[1]);
}

TEST(LocalHostileServerTest, KilledServerGivesBrokenPipe) {
    LocalDirectory directory;
    const pid_t server = in_child([&] {
        LocalHost host(directory);
        for (;;)
            pause();
        return 0;
    });
    // Not when the socket's file is there: between bind() and listen() a connection is refused.
    ASSERT_TRUE(eventually([&] {
        farcall_client* probe = nullptr;
        if (farcall_open(directory.where().c_str(), nullptr, &probe) < 0) return false;
        farcall_close(probe);
        return true;
    }));
    client::Client client(directory.where().c_str());
    client::Channel sleeping(client);
    client::Channel polling(client);
    ASSERT_EQ(run_nop(sleeping, 1), 1);
    std::thread killer([&] {
        std::this_thread::sleep_for(50ms);
        kill(server, SIGKILL);
    });
    EXPECT_EQ(farcall_wait(sleeping.get(), 10'000'000'000), -EPIPE);
    killer.join();
    // Nobody wrote a status: a client that only polls learns it from the socket, sooner or later.
    fc_event event;
    int rc = 0;
    for (int i = 0; i < 10'000'000 && rc == 0; i++)
        rc = farcall_poll(polling.get(), &event, 1);
    EXPECT_EQ(rc, -EPIPE);
    EXPECT_EQ(exit_status(server), 1000 + SIGKILL);
}

TEST(LocalHostileServerTest, OtherUsersNeedConsent) {
    if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: needs root to become another user";
    constexpr uid_t kUser = 54321;
    const auto open_as_user = [&](const LocalDirectory& directory) {
        return exit_status(in_child([&] {
            if (setgid(kUser) != 0 || setuid(kUser) != 0) return 255;
            farcall_client* client = nullptr;
            return -farcall_open(directory.where().c_str(), nullptr, &client);
        }));
    };
    LocalDirectory directory;
    LocalServerConfig config;
    {
        LocalHost host(directory, config);
        EXPECT_EQ(open_as_user(directory), EACCES) << "the socket's mode";
    }
    config.users = {kUser + 1};
    {
        LocalHost host(directory, config);
        EXPECT_EQ(open_as_user(directory), EACCES) << "SO_PEERCRED";
    }
    config.users = {kUser + 1, kUser};
    {
        LocalHost host(directory, config);
        EXPECT_EQ(open_as_user(directory), 0);
    }
}

}  // namespace
}  // namespace farcall::test
