// SPDX-License-Identifier: MIT
// The event API under load: nothing lost, told twice or reordered, wherever the program is interrupted.
#include <cstdio>
#include <map>
#include <mutex>
#include <random>

#include "tests/aem_rig.h"
#include "tests/test_seed.h"

namespace farcall::test {
namespace {

constexpr int kStreams = 24;
constexpr uint32_t kNumbers = 4000;  ///< per stream

/// A stream of numbers, one behind the other.
struct Stream {
    std::atomic<uint64_t> next{0};
    uint32_t partial = 0;  ///< bytes of a number that have come
    uint32_t value = 0;
    bool ended = false;
};

struct Storm {
    Stream streams[kStreams];
    std::atomic<int> accepted{0}, ends{0}, bad{0}, inside{0}, overlaps{0}, kept{0};
    std::atomic<long> ticks{0}, expirations{0}, handlers{0};
    std::mt19937 random;
    const char* keep[8] = {};
    int ed_to_stop[kStreams] = {};
};
Storm* storm = nullptr;

struct Inside {
    Inside() {
        storm->handlers++;
        if (storm->inside.fetch_add(1) != 0) storm->overlaps++;
    }
    ~Inside() { storm->inside.fetch_sub(1); }
};

void check_numbers(Stream& stream, const char* data, int bytes) {
    for (int i = 0; i < bytes; i++) {
        stream.value |= static_cast<uint32_t>(static_cast<unsigned char>(data[i])) << (8 * stream.partial);
        if (++stream.partial < 4) continue;
        if (stream.value != stream.next) storm->bad++;
        stream.next++;
        stream.partial = stream.value = 0;
    }
}

/// Keeps some data for a while, so that buffers come back in another order.
void keep_some(char* data) {
    const char*& slot = storm->keep[storm->random() % 8];
    if (slot != nullptr) {
        if (farcall_aem_release(slot) != 0) storm->bad++;
        slot = nullptr;
    } else if (storm->random() % 4 == 0) {
        if (farcall_aem_keep(data) != 0) storm->bad++;
        slot = data;
        storm->kept++;
    }
}

void on_numbers(int ed, int, char* data, int bytes) {
    const Inside inside;
    unsigned long index = 0;
    if (evctl(ed, EVGETARG, reinterpret_cast<unsigned long>(&index)) != 0) storm->bad++;
    Stream& stream = storm->streams[index];
    if (stream.ended || bytes < 0) storm->bad++;
    if (bytes == 0) {
        stream.ended = true;
        storm->ends++;
        return;
    }
    check_numbers(stream, data, bytes);
    keep_some(data);
}

void on_stream(int, int, int newfd) {
    const Inside inside;
    const int index = storm->accepted++;
    const int ed = farcall_aem_read(newfd, storm->random() % 3 == 0 ? 100 : 0, on_numbers,
                                    EVF_STOPPED | EVF_PRIORITY(storm->random() % 256));
    if (ed <= 0 || evctl(ed, EVSETARG, static_cast<unsigned long>(index)) != 0 ||
        evctl(ed, EVJOBSTART, 0) != 0)
        storm->bad++;
    storm->ed_to_stop[index] = ed;
}

void on_tick(int, long expirations) {
    const Inside inside;
    storm->ticks++;
    storm->expirations += expirations;
}

uint32_t seed() {
    const uint32_t value = test_seed();
    printf("FARCALL_TEST_SEED=%u\n", value);
    return value;
}

/// Sends the numbers in pieces of all sizes, each stream from one thread of `threads`.
void send_numbers(uint16_t port, int threads, uint32_t seed_value, std::vector<std::thread>& out) {
    for (int t = 0; t < threads; t++) {
        out.emplace_back([=] {
            std::mt19937 random(seed_value + static_cast<uint32_t>(t));
            std::vector<UniqueFd> fds;
            std::vector<size_t> sent;
            for (int i = t; i < kStreams; i += threads) {
                fds.push_back(connect_to(port));
                sent.push_back(0);
            }
            std::string text;
            for (uint32_t n = 0; n < kNumbers; n++)
                text.append(reinterpret_cast<const char*>(&n), 4);
            for (size_t open = fds.size(); open > 0;) {
                const size_t i = random() % fds.size();
                if (!fds[i]) continue;
                const size_t most = random() % 10 == 0 ? 9000 : 40;
                const size_t bytes = std::min<size_t>(1 + random() % most, text.size() - sent[i]);
                send_all(fds[i].get(), text.substr(sent[i], bytes));
                sent[i] += bytes;
                if (sent[i] < text.size()) continue;
                fds[i].reset();
                open--;
            }
        });
    }
}

class AemStorm : public AemTest {
  protected:
    void SetUp() override {
        storm = &here_;
        seed_ = seed();
        here_.random.seed(seed_);
        farcall_aem_options options = aem_options(GetParam());
        options.buffers = 16;  // so that they run out
        options.buffer_bytes = 1000;
        open(options);
    }
    void TearDown() override {
        AemTest::TearDown();
        EXPECT_EQ(here_.overlaps, 0) << "two handlers at once";
        EXPECT_EQ(here_.bad, 0);
    }
    static bool all_came() { return storm->ends == kStreams; }
    void check_streams() {
        for (const Stream& stream : here_.streams)
            EXPECT_EQ(stream.next, kNumbers);
    }

    Storm here_;
    uint32_t seed_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Modes, AemStorm, ::testing::Values(Mode::kSignal, Mode::kDispatch), mode_name);

TEST_P(AemStorm, NothingIsLostOrReordered) {
    const Listener listener = listen_aem();
    ASSERT_GT(farcall_aem_accept(listener.fd, nullptr, nullptr, on_stream, EVF_PRIORITY(128)), 0);
    const int timer = farcall_aem_timer_ns(0, 50'000, on_tick, EVF_PRIORITY(255));
    std::vector<std::thread> senders;
    send_numbers(listener.port, 3, seed_, senders);
    EXPECT_TRUE(until(all_came)) << storm->ends << " of " << kStreams << " ended";
    for (std::thread& sender : senders)
        sender.join();
    check_streams();
    evstat stat{};
    EXPECT_EQ(evctl(timer, EVSTAT, reinterpret_cast<unsigned long>(&stat)), 0);
    EXPECT_GT(storm->kept, 0);
    EXPECT_GT(storm->ticks, 0);
}

TEST_P(AemStorm, StopStartAndPrioritiesInTheMiddle) {
    const Listener listener = listen_aem();
    ASSERT_GT(farcall_aem_accept(listener.fd, nullptr, nullptr, on_stream, EVF_PRIORITY(255)), 0);
    std::vector<std::thread> senders;
    send_numbers(listener.port, 2, seed_, senders);
    std::mt19937 random(seed_);
    const auto stir = [&] {
        const int ed = storm->ed_to_stop[random() % kStreams];
        if (ed == 0) return;
        // Any of them may be over by now.
        switch (random() % 4) {
            case 0:
                evctl(ed, EVJOBSTOP, 0);
                break;
            case 1:
                evctl(ed, EVPRIO, random() % 256);
                break;
            default:
                evctl(ed, EVJOBSTART, 0);
                break;
        }
    };
    for (int i = 0; i < 20'000 && !all_came(); i++) {
        stir();
        if (GetParam() == Mode::kDispatch && i % 4 == 0) {
            EXPECT_GE(farcall_dispatch(0), 0);
        }
    }
    EXPECT_EQ(evctl(-1, EVJOBSTART, 0), 0);
    EXPECT_TRUE(until(all_came)) << storm->ends << " of " << kStreams << " ended";
    for (std::thread& sender : senders)
        sender.join();
    check_streams();
}

TEST_P(AemStorm, ConnectionsComeAndGo) {
    const Listener listener = listen_aem();
    static std::atomic<int> closed, reads;
    closed = reads = 0;
    const auto on_end = [](int, int fd, int) {
        const Inside inside;
        closed++;
        if (farcall_aem_close(fd) != 0) storm->bad++;
    };
    static void (*closer)(int, int, int) = on_end;
    const auto on_connection = [](int, int, int newfd) {
        const Inside inside;
        storm->accepted++;
        const auto count = [](int, int, char*, int bytes) { reads += bytes; };
        if (farcall_aem_read(newfd, 0, count, 0) <= 0 || farcall_aem_close_event(newfd, closer, 0) <= 0)
            storm->bad++;
    };
    ASSERT_GT(farcall_aem_accept(listener.fd, nullptr, nullptr, on_connection, 0), 0);
    constexpr int kConnections = 2000;
    std::thread clients([&] {
        for (int i = 0; i < kConnections; i++) {
            const UniqueFd fd = connect_to(listener.port);
            send_all(fd.get(), "0123456789");
        }
    });
    EXPECT_TRUE(until([] { return closed == kConnections; })) << closed;
    clients.join();
    EXPECT_EQ(reads, kConnections * 10);
    evlist list{nullptr, 0, 0};
    EXPECT_EQ(evctl(-1, EVGETLIST, reinterpret_cast<unsigned long>(&list)), 1)
        << "all but the accepting one are over";
}

TEST_P(AemStorm, MoreRegistrationsThanAChannelHolds) {
    constexpr int kTimers = 20'000;
    std::vector<int> eds;
    for (int i = 0; i < kTimers; i++) {
        const int ed = evtimer(3'600'000, 0, on_tick, 0);
        ASSERT_GT(ed, 0) << i;
        eds.push_back(ed);
    }
    ASSERT_GT(evtimer(1, 0, on_tick, 0), 0);
    EXPECT_TRUE(until([] { return storm->ticks == 1; }));
    std::mt19937 random(seed_);
    std::shuffle(eds.begin(), eds.end(), random);
    for (const int ed : eds)
        ASSERT_EQ(evunregister(ed), 0);
    for (int i = 0; i < 1000; i++)
        ASSERT_GT(evtimer(0, 0, on_tick, 0), 0);
    EXPECT_TRUE(until([] { return storm->ticks == 1001; }));
}

/// Registers and unregisters from several threads while handlers run.
TEST_P(AemStorm, ThreadsBeside) {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    std::atomic<int> rounds{0};
    const Listener listener = listen_aem();
    ASSERT_GT(farcall_aem_accept(listener.fd, nullptr, nullptr, on_stream, EVF_PRIORITY(255)), 0);
    for (int t = 0; t < 3; t++) {
        threads.emplace_back([&] {
            while (!stop) {
                const int ed = farcall_aem_timer_ns(1000, 20'000, on_tick, 0);
                if (ed <= 0) storm->bad++;
                // Calls of their own, each on a channel of its own.
                const int fd = farcall_aem_socket(AF_INET, SOCK_STREAM, 0);
                int type = 0;
                socklen_t length = sizeof(type);
                if (farcall_aem_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 ||
                    type != SOCK_STREAM)
                    storm->bad++;
                if (farcall_aem_close(fd) != 0) storm->bad++;
                if (evunregister(ed) != 0) storm->bad++;
                rounds++;
            }
        });
    }
    send_numbers(listener.port, 2, seed_, threads);
    EXPECT_TRUE(until(all_came)) << storm->ends << " of " << kStreams << " ended";
    stop = true;
    for (std::thread& thread : threads)
        thread.join();
    check_streams();
    EXPECT_GT(rounds, 10);
}

/// The main flow is in malloc() and stdio all the time; handlers use neither.
TEST_P(AemStorm, LibraryCodeIsInterrupted) {
    const Listener listener = listen_aem();
    ASSERT_GT(farcall_aem_accept(listener.fd, nullptr, nullptr, on_stream, EVF_PRIORITY(255)), 0);
    std::vector<std::thread> senders;
    send_numbers(listener.port, 2, seed_, senders);
    const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    FILE* out = fdopen(dup(null.get()), "w");
    std::map<uint32_t, std::string> live;
    std::mt19937 random(seed_);
    uint64_t steps = 0;
    EXPECT_TRUE(until([&] {
        for (int i = 0; i < 200; i++, steps++) {
            const uint32_t key = random() % 64;
            live[key] = std::string(random() % 3000, static_cast<char>('a' + key % 26));
            fprintf(out, "%s %f\n", live[key].c_str(), static_cast<double>(steps) / 3);
        }
        return all_came();
    }));
    for (const auto& [key, text] : live)
        EXPECT_EQ(text.find_first_not_of(static_cast<char>('a' + key % 26)), std::string::npos);
    fclose(out);
    for (std::thread& sender : senders)
        sender.join();
    check_streams();
}

/// Both touch the same data, which is safe between hold and unhold; calls that wait are interrupted and go
/// on.
TEST(AemInterrupts, HoldKeepsHandlersOut) {
    LocalNetHost host;
    ASSERT_EQ(farcall_aem_init(host.where().c_str(), nullptr), 0);
    static volatile long left, right;
    static std::atomic<int> torn, ticks;
    left = 0;
    right = 0;
    torn = ticks = 0;
    const auto tick = [](int, long) {
        if (left != right) torn++;
        left = left + 1;
        right = right + 1;
        ticks++;
    };
    ASSERT_GT(farcall_aem_timer_ns(0, 20'000, tick, 0), 0);
    const auto end = std::chrono::steady_clock::now() + 300ms;
    while (std::chrono::steady_clock::now() < end) {
        farcall_aem_hold();
        farcall_aem_hold();
        left = left + 1;
        farcall_aem_unhold();
        for (int i = 0; i < 200; i++)
            std::atomic_signal_fence(std::memory_order_seq_cst);
        right = right + 1;
        farcall_aem_unhold();
    }
    EXPECT_EQ(torn, 0);
    EXPECT_GT(ticks, 50);
    EXPECT_EQ(farcall_aem_exit(), 0);
}

#if !defined(__SANITIZE_THREAD__)
TEST(AemInterrupts, AProgramThatOnlySpins) {
    const pid_t pid = in_child([] {
        LocalNetHost host;
        if (farcall_aem_init(host.where().c_str(), nullptr) != 0) return 1;
        static int count;
        const auto tick = [](int, long) {
            if (++count == 50) _exit(42);
        };
        if (evtimer(1, 1, tick, 0) <= 0) return 2;
        volatile bool forever = true;
        while (forever) {
        }
        return 3;
    });
    EXPECT_EQ(exit_status(pid), 42);
}
#else
TEST(AemInterrupts, AProgramThatOnlySpins) {
    GTEST_SKIP()
        << "NOT TESTED: under TSan signals wait for a call that it intercepts, and this program makes none";
}
#endif

TEST(AemInterrupts, CallsThatWaitGoOn) {
    LocalNetHost host;
    ASSERT_EQ(farcall_aem_init(host.where().c_str(), nullptr), 0);
    static std::atomic<int> ticks;
    ticks = 0;
    const auto tick = [](int, long) {
        // A call in a handler, while the interrupted flow waits in one.
        const int fd = farcall_aem_socket(AF_INET, SOCK_DGRAM, 0);
        if (fd >= 0 && farcall_aem_close(fd) == 0) ticks++;
    };
    const Listener listener = listen_aem();
    const UniqueFd peer = connect_to(listener.port);
    const int fd = farcall_aem_accept4(listener.fd, nullptr, nullptr, 0);
    ASSERT_GE(fd, FARCALL_AEM_FD_BASE);
    ASSERT_GT(evtimer(1, 1, tick, 0), 0);
    std::thread late([&] {
        while (ticks < 50)
            std::this_thread::sleep_for(1ms);
        send_all(peer.get(), "at last");
    });
    char data[16] = {};
    EXPECT_EQ(farcall_aem_recv(fd, data, sizeof(data), 0), 7);
    EXPECT_STREQ(data, "at last");
    EXPECT_GE(ticks, 50);
    late.join();
    EXPECT_EQ(farcall_aem_exit(), 0);
}

}  // namespace
}  // namespace farcall::test
