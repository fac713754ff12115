// SPDX-License-Identifier: MIT
// io_uring and the blocking pool must not be told apart by what a client sees.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <thread>

#include "host-lib/uring_backend.h"
#include "tests/test_client.h"

namespace farcall::test {
namespace {

constexpr uint64_t kPath = 512;  // arena offsets
constexpr uint64_t kBuffer = 4096;
constexpr uint32_t kFiles = 3;
constexpr uint32_t kMost = 300000;  // bytes of a transfer, and where it may begin in a file

/// One backend with a directory of its own, in which `kFiles` files are open.
class Side {
  public:
    Side(IoBackend io, const std::string& where)
        : engine_(EngineConfig{.blocking_threads = 2, .io = io, .spin = std::chrono::microseconds(20)}) {
        std::string pattern = where + "/farcall-XXXXXX";
        path_ = mkdtemp(pattern.data());
        DomainConfig config;
        config.shares.push_back({path_, true});
        domain_ = engine_.create_domain(config);
        client_ = std::make_unique<TestClient>(*domain_,
                                               TestClient::Options{.command_slots = 512, .event_slots = 512});
        for (uint32_t i = 0; i < kFiles; i++)
            handles_.push_back(open(i));
    }
    ~Side() {
        client_.reset();
        domain_.reset();
        std::filesystem::remove_all(path_);
    }

    TestClient& client() { return *client_; }
    EngineStats stats() const { return engine_.stats(); }
    uint32_t handle(uint32_t file) const { return handles_[file]; }
    std::string name(uint32_t file) const { return path_ + "/file" + std::to_string(file); }
    std::string content(uint32_t file) const {
        std::ifstream in(name(file), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    /// Drops the file from the page cache, where it is on a device: what is read next can't complete at once.
    void forget(uint32_t file) const {
        const UniqueFd fd(::open(name(file).c_str(), O_RDONLY | O_CLOEXEC));
        fdatasync(fd.get());
        posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    }

  private:
    uint32_t open(uint32_t file) {
        const std::string path = "file" + std::to_string(file);
        memcpy(client_->arena() + kPath, path.data(), path.size());
        fc_command c = transfer(FC_OP_OPEN, 1, 0, 0644, kPath, static_cast<uint32_t>(path.size()));
        c.op_flags = FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_CREATE;
        const int result = client_->run(c).result;
        EXPECT_GT(result, 0);
        return static_cast<uint32_t>(result);
    }

    Engine engine_;
    std::string path_;
    std::unique_ptr<Domain> domain_;
    std::unique_ptr<TestClient> client_;
    std::vector<uint32_t> handles_;
};

class BackendTest : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        const std::string reason = UringBackend::unavailable();
        if (!reason.empty()) GTEST_SKIP() << "only the pool works here, nothing to compare: " << reason;
    }
};

/// A chain of commands in which each waits for the one before; the same on both sides but for handles and
/// IDs.
struct Step {
    uint8_t opcode;
    uint32_t file;
    uint64_t offset;
    uint64_t buffer;
    uint32_t length;
    uint16_t op_flags;
};

std::vector<Step> random_chain(std::mt19937& random) {
    const auto upto = [&](uint32_t most) { return std::uniform_int_distribution<uint32_t>(0, most)(random); };
    constexpr uint8_t kOps[] = {FC_OP_READ, FC_OP_READ, FC_OP_WRITE, FC_OP_WRITE, FC_OP_FSYNC};
    std::vector<Step> chain(1 + upto(7));
    for (Step& step : chain) {
        step = {kOps[upto(4)], upto(kFiles - 1), 0, 0, 0, 0};
        if (step.opcode == FC_OP_FSYNC) {
            step.op_flags = static_cast<uint16_t>(upto(1));
            continue;
        }
        step.offset = upto(9) == 0 ? FC_OFFSET_CURRENT : upto(kMost);
        step.length = upto(2) == 0 ? upto(kMost) : upto(9000);
        step.buffer = kBuffer + upto(TestClient::kArenaBytes - kBuffer - kMost);
    }
    return chain;
}

std::vector<int> run_chain(Side& side, const std::vector<Step>& chain) {
    TestClient& client = side.client();
    std::vector<uint64_t> ids;
    for (const Step& step : chain) {
        fc_command c = with_id(transfer(step.opcode, client.new_id(), side.handle(step.file), step.offset,
                                        step.buffer, step.length));
        c.op_flags = step.op_flags;
        c.flags |= FC_F_ALWAYS;
        if (!ids.empty()) c = after(c, ids.back());
        ids.push_back(c.id);
        client.post(c);
    }
    const auto events = client.collect(chain.size());
    std::vector<int> results;
    for (const uint64_t id : ids)
        results.push_back(events.at(id).result);
    return results;
}

TEST_P(BackendTest, RandomChainsGiveTheSame) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    Side uring(IoBackend::kUring, GetParam()), pool(IoBackend::kPool, GetParam());
    for (uint64_t i = kBuffer; i < TestClient::kArenaBytes; i++)
        uring.client().arena()[i] = pool.client().arena()[i] = static_cast<std::byte>(random());
    for (int round = 0; round < 120; round++) {
        if (round % 4 == 0) {
            uring.forget(static_cast<uint32_t>(round) % kFiles);
            pool.forget(static_cast<uint32_t>(round) % kFiles);
        }
        const std::vector<Step> chain = random_chain(random);
        ASSERT_EQ(run_chain(uring, chain), run_chain(pool, chain)) << "round " << round;
        ASSERT_EQ(memcmp(uring.client().arena() + kBuffer, pool.client().arena() + kBuffer,
                         TestClient::kArenaBytes - kBuffer),
                  0)
            << "round " << round;
    }
    for (uint32_t file = 0; file < kFiles; file++)
        EXPECT_EQ(uring.content(file), pool.content(file)) << file;
    EXPECT_GT(uring.stats().uring_jobs, 0u);
    EXPECT_EQ(pool.stats().uring_jobs, 0u);
}

fc_command read_all(Side& side, uint64_t id) {
    return transfer(FC_OP_READ, id, side.handle(0), 0, kBuffer + id % 8 * 100000, 100000);
}

// More at a time than a ring takes: what it has no room for goes to the pool.
TEST_P(BackendTest, MoreThanTheRingTakesIsDoneToo) {
    Side side(IoBackend::kUring, GetParam());
    std::ofstream(side.name(0)) << std::string(100000, 'x');
    constexpr uint32_t kReads = 400;
    for (uint32_t i = 0; i < kReads; i++)
        side.client().post(read_all(side, i));
    for (const auto& [id, event] : side.client().collect(kReads))
        ASSERT_EQ(event.result, 100000) << id;
    // Files in memory are created at once, others in the pool.
    struct statfs fs {};
    ASSERT_EQ(statfs(GetParam(), &fs), 0);
    const uint32_t opens = fs.f_type == TMPFS_MAGIC ? 0 : kFiles;
    EXPECT_EQ(side.stats().uring_jobs + side.stats().pool_jobs, kReads + opens);
}

TEST_P(BackendTest, DestroyWaitsForWhatTheKernelDoes) {
    Side side(IoBackend::kUring, GetParam());
    TestClient& client = side.client();
    std::ofstream(side.name(0)) << std::string(100000, 'x');
    for (int round = 0; round < 4; round++)
        for (uint32_t i = 0; i < 64; i++)
            client.post(read_all(side, i));
    EXPECT_EQ(client.destroy().status, 0);
    memset(client.arena(), 0, TestClient::kArenaBytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto* bytes = reinterpret_cast<const char*>(client.arena());
    EXPECT_EQ(std::string_view(bytes, TestClient::kArenaBytes).find('x'), std::string_view::npos)
        << "the host wrote to memory of a client that is gone";
}

// A worker that sleeps while the kernel works must hear of the end.
TEST_P(BackendTest, SleepingWorkerWakesForTheEnd) {
    Side side(IoBackend::kUring, GetParam());
    std::ofstream(side.name(0)) << std::string(100000, 'x');
    for (uint32_t i = 0; i < 300; i++) {
        side.forget(0);
        fc_command sync{};
        sync.opcode = FC_OP_FSYNC;
        sync.handle = side.handle(0);
        ASSERT_EQ(side.client().run(i % 2 == 0 ? read_all(side, 1) : sync).result, i % 2 == 0 ? 100000 : 0);
    }
}

// The handle goes while the kernel reads; so does the last descriptor, later.
TEST_P(BackendTest, CloseWhileTheKernelReads) {
    Side side(IoBackend::kUring, GetParam());
    std::ofstream(side.name(0)) << std::string(100000, 'x');
    for (uint32_t i = 0; i < 20; i++)
        side.client().post(read_all(side, i));
    fc_command close{};
    close.opcode = FC_OP_CLOSE;
    close.handle = side.handle(0);
    close.id = 20;
    side.client().post(close);
    auto events = side.client().collect(21);
    EXPECT_EQ(events[20].result, 0);
    for (uint32_t i = 0; i < 20; i++)
        EXPECT_EQ(events[i].result, 100000) << i;
}

TEST(Backend, ThePoolCanBeAskedFor) {
    Side side(IoBackend::kPool, "/tmp");
    std::ofstream(side.name(0)) << std::string(100000, 'x');
    EXPECT_EQ(side.client().run(read_all(side, 1)).result, 100000);
    EXPECT_EQ(side.stats().uring_jobs, 0u);
}

INSTANTIATE_TEST_SUITE_P(On, BackendTest, ::testing::Values("/tmp", "/dev/shm"),
                         [](const auto& param) { return std::string(param.index == 0 ? "Disk" : "Memory"); });

}  // namespace
}  // namespace farcall::test
