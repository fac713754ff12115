// SPDX-License-Identifier: MIT
// The event API: what its registrations tell, in which order, and how they end.
#include <map>

#include "tests/aem_rig.h"

namespace farcall::test {
namespace {

/// What handlers leave behind. Handlers are plain functions, so it is global; reset by each test.
struct Seen {
    std::atomic<int> accepted{0}, reads{0}, closes{0}, states{0}, ticks{0}, inside{0}, overlaps{0};
    std::atomic<long> expirations{0};
    std::atomic<int> last_value{0}, last_fd{0};
    std::string data;
    std::vector<int> order;
};
Seen* seen = nullptr;

/// Counts handlers that run at the same time as another.
struct Inside {
    Inside() {
        if (seen->inside.fetch_add(1) != 0) seen->overlaps++;
    }
    ~Inside() { seen->inside.fetch_sub(1); }
};

void on_tick(int ed, long expirations) {
    const Inside inside;
    seen->ticks++;
    seen->expirations += expirations;
    seen->last_value = ed;
}

void on_close(int, int fd, int error) {
    const Inside inside;
    seen->closes++;
    seen->last_fd = fd;
    seen->last_value = error;
}

void on_echo(int, int fd, char* data, int bytes) {
    const Inside inside;
    seen->reads++;
    seen->last_value = bytes;
    if (bytes > 0) {
        farcall_aem_write(fd, data, static_cast<size_t>(bytes));
    }
    if (bytes <= 0) farcall_aem_close(fd);
}

void on_accept(int, int, int newfd) {
    const Inside inside;
    seen->last_fd = newfd;
    seen->accepted++;
    if (newfd >= 0) {
        EXPECT_GT(farcall_aem_read(newfd, 0, on_echo, 0), 0);
    }
}

void on_accept_only(int, int, int newfd) {
    const Inside inside;
    seen->last_fd = newfd;
    seen->accepted++;
}

void on_data(int, int, char* data, int bytes) {
    const Inside inside;
    seen->reads++;
    seen->last_value = bytes;
    if (bytes > 0) seen->data.append(data, static_cast<size_t>(bytes));
}

void on_state(int, int fd, int state) {
    const Inside inside;
    seen->states++;
    seen->last_fd = fd;
    seen->last_value = state;
}

class Aem : public AemTest {
  protected:
    void SetUp() override {
        seen = &here_;
        // Handlers interrupt this thread anywhere: they must not allocate memory.
        here_.data.reserve(1 << 20);
        here_.order.reserve(1000);
        AemTest::SetUp();
    }
    void TearDown() override {
        AemTest::TearDown();
        EXPECT_EQ(here_.overlaps, 0) << "two handlers at once";
    }
    /// A connection: the ordinary client's end, and the event API's number.
    UniqueFd connection(int* fd) {
        const Listener listener = listen_aem();
        const int before = seen->accepted;
        EXPECT_GT(farcall_aem_accept(listener.fd, nullptr, nullptr, on_accept_only, EVF_ONESHOT), 0);
        UniqueFd peer = connect_to(listener.port);
        EXPECT_TRUE(until([&] { return seen->accepted > before; }));
        *fd = seen->last_fd;
        return peer;
    }
    /// Time in which a handler would be called, if there were a reason.
    void nothing_happens() {
        std::this_thread::sleep_for(20ms);
        if (GetParam() == Mode::kDispatch) {
            EXPECT_EQ(farcall_dispatch(0), 0);
        }
    }
    static evstat stat(int ed) {
        evstat out{};
        EXPECT_EQ(evctl(ed, EVSTAT, reinterpret_cast<unsigned long>(&out)), 0);
        return out;
    }

    Seen here_;
};

INSTANTIATE_TEST_SUITE_P(Modes, Aem, ::testing::Values(Mode::kSignal, Mode::kDispatch), mode_name);

TEST_P(Aem, EchoesToSeveralClients) {
    const Listener listener = listen_aem();
    sockaddr_in from{};
    socklen_t length = sizeof(from);
    const int ed = farcall_aem_accept(listener.fd, reinterpret_cast<sockaddr*>(&from), &length, on_accept, 0);
    ASSERT_GT(ed, 0);
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 20; i++) {
        clients.push_back(connect_to(listener.port));
        send_all(clients.back().get(), "hello " + std::to_string(i));
    }
    ASSERT_TRUE(until([] { return seen->accepted == 20 && seen->reads >= 20; }));
    for (int i = 0; i < 20; i++) {
        const std::string expected = "hello " + std::to_string(i);
        EXPECT_EQ(receive(clients[static_cast<size_t>(i)].get(), expected.size()), expected);
    }
    EXPECT_EQ(length, sizeof(sockaddr_in));
    EXPECT_EQ(from.sin_family, AF_INET);
    EXPECT_NE(from.sin_port, 0);
    EXPECT_EQ(stat(ed).events, 20u);
    clients.clear();
    EXPECT_TRUE(until([] { return seen->reads == 40 && seen->last_value == 0; })) << "each end is told";
}

TEST_P(Aem, TimersOnceAndPeriodic) {
    ASSERT_GT(evtimer(1, 0, on_tick, 0), 0);
    ASSERT_TRUE(until([] { return seen->ticks == 1; }));
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(seen->ticks, 1);
    const auto begun = std::chrono::steady_clock::now();
    const int ed = evtimer(1, 2, on_tick, 0);
    ASSERT_GT(ed, 0);
    ASSERT_TRUE(until([] { return seen->expirations >= 51; }));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 90ms) << "fifty periods came too soon";
    EXPECT_EQ(evunregister(ed), 0);
    const int ticks = seen->ticks;
    nothing_happens();
    EXPECT_EQ(seen->ticks, ticks);
    EXPECT_EQ(evunregister(ed), -EBADF);
}

TEST_P(Aem, OneshotEndsAfterOneEvent) {
    const int ed = evtimer(1, 1, on_tick, EVF_ONESHOT);
    ASSERT_GT(ed, 0);
    ASSERT_TRUE(until([&] { return evctl(ed, EVPARENT, 0) == -EBADF; }));
    EXPECT_EQ(seen->ticks, 1);
    int fd = -1;
    const UniqueFd peer = connection(&fd);
    ASSERT_GT(farcall_aem_read(fd, 4, on_data, EVF_ONESHOT), 0);
    send_all(peer.get(), "firstsecond");
    ASSERT_TRUE(until([] { return seen->reads == 1; }));
    EXPECT_EQ(seen->data, "firs");
    // What it did not take is still there, for the program or another registration.
    char rest[16] = {};
    EXPECT_EQ(farcall_aem_recv(fd, rest, 3, 0), 3);
    EXPECT_STREQ(rest, "tse");
    ASSERT_GT(farcall_aem_read(fd, 0, on_data, 0), 0);
    EXPECT_TRUE(until([] { return seen->data == "firscond"; }));
}

void note_order(int ed, long) {
    const Inside inside;
    seen->order.push_back(ed);
}

void slow_tick(int, long) {
    const Inside inside;
    seen->ticks++;
    // While this handler runs, the others' events arrive and wait.
    std::this_thread::sleep_for(100ms);
}

TEST_P(Aem, HandlersRunByPriorityThenArrival) {
    ASSERT_GT(farcall_aem_timer_ns(0, 0, slow_tick, 0), 0);
    ASSERT_TRUE(GetParam() == Mode::kSignal || seen->ticks == 0);
    std::map<int, int> rank;  // of a descriptor
    const int low = evtimer(20, 0, note_order, EVF_PRIORITY(1));
    const int early = evtimer(30, 0, note_order, 0);
    const int late = evtimer(45, 0, note_order, 0);
    const int high = evtimer(60, 0, note_order, EVF_PRIORITY(200));
    const int raised = evtimer(70, 0, note_order, 0);
    ASSERT_GT(raised, 0);
    ASSERT_EQ(evctl(raised, EVPRIO, 255), 0);
    ASSERT_GT(farcall_aem_timer_ns(1'000'000, 0, slow_tick, EVF_PRIORITY(255)), 0);
    ASSERT_TRUE(until([] { return seen->order.size() == 5; }));
    EXPECT_EQ(seen->order, (std::vector<int>{raised, high, early, late, low}));
}

TEST_P(Aem, StoppedEventsWaitAndStartAgain) {
    int fd = -1;
    const UniqueFd peer = connection(&fd);
    const int ed = farcall_aem_read(fd, 0, on_data, EVF_STOPPED);
    ASSERT_GT(ed, 0);
    send_all(peer.get(), "one ");
    nothing_happens();
    EXPECT_EQ(seen->reads, 0);
    ASSERT_EQ(evctl(ed, EVJOBSTART, 0), 0);
    ASSERT_TRUE(until([] { return seen->data == "one "; }));
    for (int i = 0; i < 50; i++) {
        ASSERT_EQ(evctl(-1, EVJOBSTOP, 0), 0);
        send_all(peer.get(), "x");
        ASSERT_EQ(evctl(-1, EVJOBSTART, 0), 0);
    }
    EXPECT_TRUE(until([] { return seen->data == "one " + std::string(50, 'x'); }));
    ASSERT_EQ(evctl(ed, EVJOBSTOP, 0), 0);
    const int reads = seen->reads;
    send_all(peer.get(), "later");
    nothing_happens();
    EXPECT_EQ(seen->reads, reads);
    ASSERT_EQ(evctl(ed, EVJOBSTART, 0), 0);
    EXPECT_TRUE(until([] { return seen->data.ends_with("later"); }));
}

TEST_P(Aem, CloseIsToldAfterTheData) {
    int fd = -1;
    UniqueFd peer = connection(&fd);
    const int reader = farcall_aem_read(fd, 100, on_data, EVF_STOPPED | EVF_PRIORITY(1));
    ASSERT_GT(reader, 0);
    ASSERT_GT(farcall_aem_close_event(fd, on_close, EVF_PRIORITY(200)), 0);
    send_all(peer.get(), std::string(5000, 'd'));
    peer.reset();
    nothing_happens();
    EXPECT_EQ(seen->closes, 0);
    ASSERT_EQ(evctl(reader, EVJOBSTART, 0), 0);
    ASSERT_TRUE(until([] { return seen->closes == 1; }));
    EXPECT_EQ(seen->data.size(), 5000u);
    EXPECT_EQ(seen->last_fd, fd);
    EXPECT_EQ(seen->last_value, 0);
    EXPECT_EQ(farcall_aem_close(fd), 0);
    // And alone, without a reader.
    UniqueFd other = connection(&fd);
    ASSERT_GT(farcall_aem_close_event(fd, on_close, 0), 0);
    other.reset();
    EXPECT_TRUE(until([] { return seen->closes == 2; }));
}

TEST_P(Aem, ConnectionStates) {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener.get(), any, sizeof(address)), 0);
    ASSERT_EQ(::listen(listener.get(), 8), 0);
    socklen_t length = sizeof(address);
    ASSERT_EQ(::getsockname(listener.get(), any, &length), 0);

    const int fd = farcall_aem_socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_GT(farcall_aem_sk(fd, TCP_ESTABLISHED, on_state, 0), 0);
    ASSERT_GT(farcall_aem_sock(fd, SS_CONNECTED, on_state, 0), 0);
    std::this_thread::sleep_for(20ms);
    // Its polls may have told of changes that were not what is asked for.
    if (GetParam() == Mode::kDispatch) {
        EXPECT_GE(farcall_dispatch(0), 0);
    }
    EXPECT_EQ(seen->states, 0);
    ASSERT_EQ(farcall_aem_connect(fd, any, sizeof(address)), 0);
    ASSERT_TRUE(until([] { return seen->states == 2; }));
    EXPECT_EQ(seen->last_fd, fd);
    const UniqueFd peer(::accept(listener.get(), nullptr, nullptr));
    ASSERT_GT(farcall_aem_sk(fd, TCP_CLOSE_WAIT, on_state, 0), 0);
    ASSERT_EQ(::shutdown(peer.get(), SHUT_WR), 0);
    ASSERT_TRUE(until([] { return seen->states == 3; }));
    EXPECT_EQ(seen->last_value, TCP_CLOSE_WAIT);
    ASSERT_GT(farcall_aem_sk(fd, TCP_CLOSE, on_state, 0), 0);
    ASSERT_EQ(farcall_aem_shutdown(fd, SHUT_RDWR), 0);
    EXPECT_TRUE(until([] { return seen->states == 4; }));
    EXPECT_EQ(seen->last_value, TCP_CLOSE);
    // What is so already is told at once.
    ASSERT_GT(farcall_aem_sock(fd, SS_UNCONNECTED, on_state, 0), 0);
    EXPECT_TRUE(until([] { return seen->states == 5; }));
}

TEST_P(Aem, ParentsChildrenAndTheList) {
    const Listener listener = listen_aem();
    const int parent = farcall_aem_accept(listener.fd, nullptr, nullptr, on_accept, 0);
    const int timer = evtimer(1'000'000, 0, on_tick, EVF_PRIORITY(9));
    std::vector<UniqueFd> peers;
    for (int i = 0; i < 3; i++)
        peers.push_back(connect_to(listener.port));
    ASSERT_TRUE(until([] { return seen->accepted == 3; }));
    const int closer = farcall_aem_close_event(seen->last_fd, on_close, 0);
    ASSERT_GT(closer, 0);

    evinfo infos[16];
    evlist list{infos, 16, 0};
    const auto argument = reinterpret_cast<unsigned long>(&list);
    EXPECT_EQ(evctl(-1, EVGETLIST, argument), 6);
    ASSERT_EQ(evctl(parent, EVGETLIST, argument), 4);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(infos[i].parent, parent);
        EXPECT_EQ(infos[i].kind, infos[i].ed == closer ? EVK_CLOSE : EVK_READ);
        EXPECT_EQ(evctl(infos[i].ed, EVPARENT, 0), parent);
    }
    int children = 0;
    for (long ed = evctl(parent, EVCHILD, 0); ed > 0; ed = evctl(static_cast<int>(ed), EVSIBLING, 0))
        children++;
    EXPECT_EQ(children, 4);
    EXPECT_EQ(evctl(timer, EVGETLIST, argument), 0);
    EXPECT_EQ(evctl(timer, EVPARENT, 0), 0);
    list.active_only = 1;
    EXPECT_EQ(evctl(-1, EVGETLIST, argument), 0);
    list = {nullptr, 0, 0};
    EXPECT_EQ(evctl(-1, EVGETLIST, argument), 6) << "no room is no error";

    ASSERT_EQ(evunregister(parent), 0);
    EXPECT_EQ(evctl(-1, EVGETLIST, argument), 1) << "closing a parent closes what hangs on it";
    EXPECT_EQ(evctl(closer, EVPARENT, 0), -EBADF);
    send_all(peers[0].get(), "nobody listens");
    nothing_happens();
    EXPECT_EQ(seen->reads, 0);
    ASSERT_EQ(evctl(-1, EVJOBSHTDN, 0), 0);
    EXPECT_EQ(evctl(-1, EVGETLIST, argument), 0);
}

const char* kept = nullptr;

void keep_first(int, int, char* data, int bytes) {
    const Inside inside;
    seen->reads++;
    if (bytes > 0 && kept == nullptr) {
        EXPECT_EQ(farcall_aem_keep(data), 0);
        EXPECT_EQ(farcall_aem_keep(data), -EINVAL) << "it is kept already";
        kept = data;
    }
    if (bytes > 0) seen->data.append(data, static_cast<size_t>(bytes));
}

TEST_P(Aem, KeptDataStay) {
    kept = nullptr;
    int fd = -1;
    const UniqueFd peer = connection(&fd);
    ASSERT_GT(farcall_aem_read(fd, 0, keep_first, 0), 0);
    send_all(peer.get(), "remember me");
    ASSERT_TRUE(until([] { return seen->reads == 1; }));
    for (int i = 0; i < 300; i++) {
        send_all(peer.get(), "x");
        ASSERT_TRUE(until([&] { return seen->data.size() == 12u + static_cast<size_t>(i); }));
    }
    EXPECT_EQ(std::string(kept, 11), "remember me");
    EXPECT_EQ(farcall_aem_release(kept), 0);
    EXPECT_EQ(farcall_aem_release(kept), -EINVAL);
    EXPECT_EQ(farcall_aem_keep(kept), -EINVAL) << "no handler has it";
    char other[4];
    EXPECT_EQ(farcall_aem_keep(other), -EINVAL);
    EXPECT_EQ(farcall_aem_release(nullptr), -EINVAL);
    EXPECT_EQ(farcall_aem_release(kept + 1), -EINVAL);
}

TEST_P(Aem, BadArgumentsAreRefused) {
    const Listener listener = listen_aem();
    errno = 0;
    EXPECT_EQ(farcall_aem_accept(listener.fd, nullptr, nullptr, nullptr, 0), -EINVAL);
    EXPECT_EQ(errno, EINVAL);
    for (const int fd : {-1, 0, FARCALL_AEM_FD_BASE - 1, FARCALL_AEM_FD_BASE + 77, INT32_MAX}) {
        EXPECT_EQ(farcall_aem_accept(fd, nullptr, nullptr, on_accept, 0), -EBADF);
        EXPECT_EQ(farcall_aem_read(fd, 0, on_data, 0), -EBADF);
        EXPECT_EQ(farcall_aem_close_event(fd, on_close, 0), -EBADF);
        EXPECT_EQ(farcall_aem_sk(fd, TCP_CLOSE, on_state, 0), -EBADF);
        EXPECT_EQ(farcall_aem_close(fd < FARCALL_AEM_FD_BASE ? -1 : fd), -1);
        EXPECT_EQ(errno, EBADF);
    }
    sockaddr_in from{};
    socklen_t none = 0;
    EXPECT_EQ(farcall_aem_accept(listener.fd, reinterpret_cast<sockaddr*>(&from), nullptr, on_accept, 0),
              -EINVAL);
    EXPECT_EQ(farcall_aem_accept(listener.fd, reinterpret_cast<sockaddr*>(&from), &none, on_accept, 0),
              -EINVAL);
    EXPECT_EQ(farcall_aem_accept(listener.fd, nullptr, nullptr, on_accept, 1 << 30), -EINVAL);
    EXPECT_EQ(farcall_aem_accept(listener.fd, nullptr, nullptr, on_accept, 5), -EINVAL)
        << "a priority without its mark";
    EXPECT_EQ(farcall_aem_close_event(listener.fd, on_close, 0), -ENOTCONN);
    EXPECT_EQ(farcall_aem_sk(listener.fd, TCP_TIME_WAIT, on_state, 0), -EOPNOTSUPP);
    EXPECT_EQ(farcall_aem_sock(listener.fd, 2, on_state, 0), -EOPNOTSUPP);
    EXPECT_EQ(farcall_aem_timer(~0ul, 0, on_tick, 0), -EINVAL);
    EXPECT_EQ(farcall_aem_timer_ns(1, 999, on_tick, 0), -EINVAL);
    const int ed = farcall_aem_accept(listener.fd, nullptr, nullptr, on_accept, 0);
    ASSERT_GT(ed, 0);
    EXPECT_EQ(farcall_aem_accept(listener.fd, nullptr, nullptr, on_accept, 0), -EBUSY);
    EXPECT_EQ(farcall_aem_read(listener.fd, 0, on_data, 0), -EBUSY);
    for (const unsigned long op : {0ul, 14ul, ~0ul})
        EXPECT_EQ(evctl(ed, op, 0), -EINVAL);
    EXPECT_EQ(evctl(ed, EVJOBPRIO, 3), -EINVAL);
    EXPECT_EQ(evctl(ed, EVJOBPRIO, JOB_HIGH), 0);
    EXPECT_EQ(evctl(ed, EVPRIO, 256), -EINVAL);
    EXPECT_EQ(evctl(ed, EVSTAT, 0), -EFAULT);
    EXPECT_EQ(evctl(ed, EVGETLIST, 0), -EFAULT);
    for (const int bad : {0, -2, ed + 1, ed ^ (1 << 20), INT32_MAX, INT32_MIN})
        EXPECT_EQ(evctl(bad, EVJOBSTOP, 0), -EBADF) << bad;
    EXPECT_EQ(evctl(ed, EVTBLINIT, 0), 0);
    unsigned long argument = 0;
    EXPECT_EQ(evctl(ed, EVSETARG, 42), 0);
    EXPECT_EQ(evctl(ed, EVGETARG, reinterpret_cast<unsigned long>(&argument)), 0);
    EXPECT_EQ(argument, 42u);
    EXPECT_EQ(farcall_aem_init(host_.where().c_str(), nullptr), -EALREADY);
}

TEST_P(Aem, OptionsAreChecked) {
    ASSERT_EQ(farcall_aem_exit(), 0);
    const std::string where = host_.where();
    const auto refused = [&](auto change) {
        farcall_aem_options options = aem_options(GetParam());
        change(options);
        return farcall_aem_init(where.c_str(), &options);
    };
    EXPECT_EQ(refused([](auto& o) { o.flags = 8; }), -EINVAL);
    EXPECT_EQ(refused([](auto& o) { o.buffers = 2048; }), -EINVAL);
    EXPECT_EQ(refused([](auto& o) { o.buffer_bytes = 1 << 20; }), -EINVAL);
    EXPECT_EQ(refused([](auto& o) { o.reserved[1] = 1; }), -EINVAL);
    EXPECT_EQ(refused([](auto& o) { o.events = 1u << 30; }), -EINVAL);
    EXPECT_EQ(refused([](auto& o) { o.signo = SIGUSR1; }), -EINVAL);
    EXPECT_EQ(farcall_aem_init("unix:/nowhere/at/all", nullptr), -ENOENT);
    if (GetParam() == Mode::kSignal) {
        ASSERT_NE(signal(SIGRTMIN + 3, SIG_IGN), SIG_ERR);
        EXPECT_EQ(refused([](auto& o) { o.signo = SIGRTMIN + 3; }), -EBUSY);
        ASSERT_NE(signal(SIGRTMIN + 3, SIG_DFL), SIG_ERR);
    }
    EXPECT_EQ(refused([](auto& o) { o.buffers = 1, o.buffer_bytes = 1; }), 0);
    int fd = -1;
    const UniqueFd peer = connection(&fd);
    ASSERT_GT(farcall_aem_read(fd, 0, on_data, 0), 0);
    send_all(peer.get(), "byte by byte");
    EXPECT_TRUE(until([] { return seen->data == "byte by byte"; }));
}

TEST_P(Aem, TheHostDies) {
    int fd = -1;
    const UniqueFd peer = connection(&fd);
    const int reader = farcall_aem_read(fd, 0, on_data, 0);
    ASSERT_GT(reader, 0);
    ASSERT_GT(farcall_aem_close_event(fd, on_close, 0), 0);
    const int timer = evtimer(1'000'000, 0, on_tick, 0);
    ASSERT_GT(timer, 0);
    host_.stop();
    const auto told = [] { return seen->reads == 1 && seen->closes == 1 && seen->ticks == 1; };
    if (GetParam() == Mode::kSignal) {
        ASSERT_TRUE(until(told));
    } else {
        while (!told())
            ASSERT_GT(farcall_dispatch(10'000), 0);
    }
    EXPECT_EQ(seen->expirations, -EPIPE);
    EXPECT_EQ(evctl(reader, EVPARENT, 0), -EBADF);
    EXPECT_EQ(evtimer(1, 0, on_tick, 0), -EPIPE);
    EXPECT_EQ(farcall_aem_send(fd, "x", 1, 0), -1);
    EXPECT_EQ(errno, EPIPE);
    EXPECT_EQ(farcall_dispatch(0), -EPIPE);
}

}  // namespace
}  // namespace farcall::test
