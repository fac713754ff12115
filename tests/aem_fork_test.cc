// SPDX-License-Identifier: MIT
// Handlers in processes of their own, and the event API in children.
#include <sys/mman.h>

#include "tests/aem_rig.h"

#if defined(__SANITIZE_THREAD__)
/// Children have connections of their own, with a thread each.
extern "C" const char* __tsan_default_options() {
    return "die_after_fork=0";
}
#endif

namespace farcall::test {
namespace {

/// What children write, in memory that they share with the test.
struct Shared {
    std::atomic<int> calls, bad, parent, values[64];
    std::atomic<int> pids[64];
    char text[4096];
};
Shared* shared = nullptr;
pid_t test_process = 0;

/// Several children may be at it at once: each claims a slot of its own, and is counted when it has filled
/// it. (A slot left at 0 would make the test wait for any child of its group.)
void record(int value) {
    for (int at = shared->calls; at < 64; at++) {
        int nobody = 0;
        if (!shared->pids[at].compare_exchange_strong(nobody, getpid())) continue;
        shared->values[at] = value;
        break;
    }
    if (getpid() == test_process) shared->bad++;
    shared->calls++;
}

void in_child_tick(int ed, long) {
    if (evctl(ed, EVJOBSTOP, 0) != -EBADF) shared->bad++;
    record(1);
}

void in_child_read(int, int fd, char* data, int bytes) {
    // malloc() and stdio are in order here.
    char* copy = nullptr;
    if (asprintf(&copy, "%.*s", bytes, data) != bytes) shared->bad++;
    strcpy(shared->text, copy);
    free(copy);
    if (farcall_aem_send(fd, "x", 1, 0) != -1 || errno == EPIPE) shared->bad++;
    record(bytes);
}

class AemFork : public AemTestOn<AemHostProcess> {
  protected:
    void SetUp() override {
        void* memory =
            mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(memory, MAP_FAILED);
        shared = new (memory) Shared{};
        test_process = getpid();
        setenv("FARCALL", host_.where().c_str(), 1);
        AemTestOn::SetUp();
    }
    void TearDown() override {
        EXPECT_EQ(shared->bad, 0);
        AemTestOn::TearDown();
        unsetenv("FARCALL");
        munmap(shared, sizeof(Shared));
    }
    UniqueFd connection(int* fd) {
        const Listener listener = listen_aem();
        UniqueFd peer = connect_to(listener.port);
        *fd = farcall_aem_accept4(listener.fd, nullptr, nullptr, 0);
        EXPECT_GE(*fd, FARCALL_AEM_FD_BASE);
        return peer;
    }
};

INSTANTIATE_TEST_SUITE_P(Modes, AemFork, ::testing::Values(Mode::kSignal, Mode::kDispatch), mode_name);

TEST_P(AemFork, HandlersRunInChildren) {
    const int ed = evtimer(1, 2, in_child_tick, EVF_FORK);
    ASSERT_GT(ed, 0);
    evstat stat{};
    // A child may be done before its parent has counted it.
    ASSERT_TRUE(until([&] {
        return shared->calls >= 5 && evctl(ed, EVSTAT, reinterpret_cast<unsigned long>(&stat)) == 0 &&
               stat.forks >= 5;
    }));
    EXPECT_EQ(stat.forks, stat.events);
    ASSERT_EQ(evunregister(ed), 0);
    // Each left a zombie: the program waits for its children.
    for (int i = 0; i < 5; i++) {
        ASSERT_NE(shared->pids[i], 0);
        EXPECT_EQ(waitpid(shared->pids[i], nullptr, 0), shared->pids[i]);
    }
}

TEST_P(AemFork, WithoutZombies) {
    const int ed = evtimer(1, 2, in_child_tick, EVF_FORK | EVF_NOCLDWAIT);
    ASSERT_GT(ed, 0);
    ASSERT_TRUE(until([] { return shared->calls >= 5; }));
    ASSERT_EQ(evunregister(ed), 0);
    for (int i = 0; i < 5; i++) {
        ASSERT_NE(shared->pids[i], 0);
        EXPECT_EQ(waitpid(shared->pids[i], nullptr, 0), -1) << "a child of ours";
        EXPECT_EQ(errno, ECHILD);
    }
}

TEST_P(AemFork, ChildrenGetTheData) {
    int fd = -1;
    const UniqueFd peer = connection(&fd);
    ASSERT_GT(farcall_aem_read(fd, 0, in_child_read, EVF_FORK | EVF_NOCLDWAIT), 0);
    for (int i = 1; i <= 10; i++) {
        const std::string text = "message " + std::to_string(i * i);
        send_all(peer.get(), text);
        ASSERT_TRUE(until([&] { return shared->calls == i; }));
        EXPECT_EQ(shared->text, text);
        EXPECT_EQ(shared->values[i - 1], static_cast<int>(text.size()));
    }
}

TEST_P(AemFork, OneshotMakesOneChild) {
    const int ed = evtimer(1, 1, in_child_tick, EVF_FORK | EVF_NOCLDWAIT | EVF_ONESHOT);
    ASSERT_GT(ed, 0);
    ASSERT_TRUE(until([&] { return evctl(ed, EVPARENT, 0) == -EBADF; }));
    EXPECT_TRUE(eventually([] { return shared->calls == 1; }));
    std::this_thread::sleep_for(30ms);
    EXPECT_EQ(shared->calls, 1);
}

TEST_P(AemFork, AForkedProcessHasAConnectionOfItsOwn) {
    static std::atomic<int> ticks;
    ticks = 0;
    const int parents = evtimer(
        1, 1, [](int, long) { ticks++; }, 0);
    ASSERT_GT(parents, 0);
    ASSERT_TRUE(until([] { return ticks > 3; }));
    const pid_t pid = in_child([&] {
        ticks = 0;
        if (evctl(parents, EVPARENT, 0) != -EBADF) return 1;
        // Opened by that call, where FARCALL says; handlers interrupt.
        static std::atomic<int> own;
        own = 0;
        if (evtimer(
                1, 1, [](int, long) { own++; }, 0) <= 0)
            return 2;
        for (int i = 0; i < 5000 && own < 5; i++)
            usleep(1000);
        if (own < 5) return 3;
        return ticks == 0 ? 0 : 4;
    });
    EXPECT_EQ(exit_status(pid), 0);
    const int before = ticks;
    EXPECT_TRUE(until([&] { return ticks > before + 3; })) << "the parent's goes on";
}

TEST_P(AemFork, AStormOfForks) {
    // Fast ones, so that events queue up while processes are made.
    const int ed = farcall_aem_timer_ns(0, 200'000, in_child_tick, EVF_FORK | EVF_NOCLDWAIT);
    ASSERT_GT(ed, 0);
    static std::atomic<int> ticks;
    ticks = 0;
    const int other = evtimer(
        1, 1, [](int, long) { ticks++; }, 0);
    ASSERT_TRUE(until([] { return shared->calls >= 100 && ticks >= 20; }));
    ASSERT_EQ(evunregister(ed), 0);
    ASSERT_EQ(evunregister(other), 0);
}

}  // namespace
}  // namespace farcall::test
