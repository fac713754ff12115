// SPDX-License-Identifier: MIT
// Files that are read again and again are mapped: nothing that a client sees may tell, whoever changes the
// file meanwhile.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "host-lib/fault_copy.h"
#include "host-lib/mapped_window.h"
#include "tests/file_client.h"

namespace farcall::test {
namespace {

constexpr uint64_t kWindow = MappedWindow::kBytes;
constexpr uint32_t kPage = 4096;

std::string pattern(size_t bytes, unsigned seed) {
    std::string text(bytes, '\0');
    for (size_t i = 0; i < bytes; i++)
        text[i] = static_cast<char>('a' + (i / 7 + seed) % 26);
    return text;
}

/// A file and its direct descriptor, and a client that has it open.
class Windows : public ::testing::TestWithParam<const char*> {
  protected:
    Windows() : dir_(GetParam()) {
        DomainConfig config;
        config.shares.push_back({dir_.path().string(), true});
        domain_ = engine_.create_domain(config);
        client_ = std::make_unique<TestClient>(*domain_);
        files_ = std::make_unique<FileClient>(*client_);
    }
    uint32_t make_file(const std::string& name, const std::string& text) {
        direct_.reset(::open((dir_.path() / name).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        EXPECT_EQ(write(direct_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
        return files_->must_open(0, name, FC_OPEN_READ | FC_OPEN_WRITE);
    }
    uint64_t mapped_reads() const { return engine_.stats().mapped_reads; }
    /// Reads a file until a read of its beginning comes from a window. False: this file system's files are
    /// not mapped.
    bool heat(uint32_t file, uint64_t offset = 0) {
        for (int i = 0; i < 400; i++) {
            const uint64_t before = mapped_reads();
            EXPECT_EQ(files_->read(file, offset, 65536), 65536);
            if (mapped_reads() > before) return true;
            if (i > 128) usleep(5000);  // a thread of the pool is at it
        }
        return false;
    }
    /// The same bytes, and as many, as a direct read at this moment gives.
    void expect_same(uint32_t file, uint64_t offset, uint32_t bytes) {
        std::string direct(bytes, '\0');
        const ssize_t n = pread(direct_.get(), direct.data(), bytes, static_cast<off_t>(offset));
        ASSERT_EQ(files_->read(file, offset, bytes), n) << "at " << offset << ", " << bytes << " bytes";
        ASSERT_EQ(memcmp(files_->data(), direct.data(), static_cast<size_t>(n)), 0) << "at " << offset;
    }

    TempDir dir_;
    UniqueFd direct_;
    Engine engine_{EngineConfig{
        .blocking_threads = 2, .mapped_bytes = 2 * kWindow, .spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
    std::unique_ptr<TestClient> client_;
    std::unique_ptr<FileClient> files_;
};

TEST_P(Windows, OthersChangesAreSeenAtOnce) {
    const uint32_t file = make_file("file", pattern(kWindow, 0));
    if (!heat(file)) GTEST_SKIP() << "files in " << GetParam() << " are not mapped: not a local file system";
    expect_same(file, 12345, 5000);
    ASSERT_EQ(pwrite(direct_.get(), "changed", 7, 12345), 7);
    expect_same(file, 12340, 100);
    EXPECT_EQ(files_->write(file, 12346, "CHANGED"), 7);
    expect_same(file, 12340, 100);
    // Shorter: within a page, behind it, and nothing left.
    for (const uint64_t size : {kWindow - 100, kWindow / 2 + 10, uint64_t{5000}, uint64_t{0}}) {
        ASSERT_EQ(ftruncate(direct_.get(), static_cast<off_t>(size)), 0);
        for (const uint64_t at : {uint64_t{0}, uint64_t{4000}, kWindow / 2, kWindow - 4096})
            expect_same(file, at, 4096);
    }
    const std::string text = pattern(kWindow + 5000, 5);
    ASSERT_EQ(pwrite(direct_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    for (const uint64_t at : {uint64_t{0}, uint64_t{4000}, kWindow - 4096, kWindow - 1, kWindow + 4000})
        expect_same(file, at, 4096);
}

TEST_P(Windows, WrongReadsFailAsEver) {
    const uint32_t file = make_file("file", pattern(kWindow, 0));
    if (!heat(file)) GTEST_SKIP() << "files in " << GetParam() << " are not mapped: not a local file system";
    EXPECT_EQ(files_->read(file, 0, 0), 0);
    EXPECT_EQ(files_->read(file, kWindow, 10), 0) << "the end of the file";
    EXPECT_EQ(files_->read(file, INT64_MAX, 10), -EINVAL);
    EXPECT_EQ(files_->read(file, uint64_t{INT64_MAX} + 1, 10), -EINVAL);
    EXPECT_EQ(files_->run(transfer(FC_OP_READ, 1, file, 0, TestClient::kArenaBytes - 10, 11)), -EFAULT);
    const RegionConfig locked{{{client_->map(kPage), kPage}}, 0, nullptr};
    const ControlResult added =
        TestClient::call([&](ControlDone done) { domain_->add_region(client_->id(), locked, done); });
    fc_command c = transfer(FC_OP_READ, 1, file, 0, 0, 10);
    c.region = static_cast<uint32_t>(added.value);
    EXPECT_EQ(files_->run(c), -EACCES);
    c.region = 0xffff;
    EXPECT_EQ(files_->run(c), -EIDRM);
    const uint32_t blind = files_->must_open(0, "file", FC_OPEN_WRITE);
    for (int i = 0; i < 200; i++)
        ASSERT_EQ(files_->read(blind, 0, 65536), -EBADF);
}

// Reads and changes in turn, all against direct calls.
TEST_P(Windows, AnyOrderOfReadsAndChanges) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    const auto upto = [&](uint64_t most) { return std::uniform_int_distribution<uint64_t>(0, most)(random); };
    const uint32_t file = make_file("file", pattern(2 * kWindow, seed));
    if (!heat(file)) GTEST_SKIP() << "files in " << GetParam() << " are not mapped: not a local file system";
    for (int i = 0; i < 3000; i++) {
        const uint64_t at = upto(2 * kWindow + 10000);
        const auto bytes = static_cast<uint32_t>(upto(65536));
        const uint64_t what = upto(99);
        if (what < 90) {
            expect_same(file, at, bytes);
        } else if (what < 94) {
            EXPECT_EQ(files_->write(file, at, pattern(bytes, i)), static_cast<int>(bytes));
        } else if (what < 98) {
            const std::string text = pattern(bytes, i);
            ASSERT_EQ(pwrite(direct_.get(), text.data(), bytes, static_cast<off_t>(at)), bytes);
        } else {
            ASSERT_EQ(ftruncate(direct_.get(), static_cast<off_t>(at)), 0);
        }
        if (HasFailure()) return;
    }
    EXPECT_EQ(files_->close(file), 0);
}

// The kernel gives the worker a SIGBUS for a page that is not there any more; the client gets what is left.
TEST_P(Windows, SomebodyCutsTheFileShortAllTheTime) {
    const uint32_t file = make_file("file", pattern(kWindow, 0));
    if (!heat(file)) GTEST_SKIP() << "files in " << GetParam() << " are not mapped: not a local file system";
    std::jthread cutter([this](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            EXPECT_EQ(ftruncate(direct_.get(), 0), 0);
            EXPECT_EQ(ftruncate(direct_.get(), kWindow), 0);
        }
    });
    for (int i = 0; i < 3000; i++) {
        const int n = files_->read(file, static_cast<uint64_t>(i) * kPage % kWindow, 65536);
        ASSERT_GE(n, 0);
        ASSERT_LE(n, 65536);
    }
}

uint64_t locked_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmLck:")) return std::stoull(line.substr(6)) << 10;
    return 0;
}

TEST_P(Windows, NoMoreThanTheBudgetAndTheHottestStay) {
    const uint32_t file = make_file("file", pattern(4 * kWindow, 1));
    if (!heat(file)) GTEST_SKIP() << "files in " << GetParam() << " are not mapped: not a local file system";
    for (uint64_t i = 1; i < 4; i++) {
        // The first is in use all the time, so that it is not what has to go.
        for (int reads = 0; reads < 400; reads++) {
            expect_same(file, i * kWindow, 65536);
            expect_same(file, 0, 512);
        }
        EXPECT_LE(locked_bytes(), 2 * kWindow);
    }
    const uint64_t before = mapped_reads();
    expect_same(file, 0, 512);
    EXPECT_EQ(mapped_reads(), before + 1);
    // Closing gives all of it back.
    EXPECT_EQ(files_->close(file), 0);
    const uint32_t other = make_file("other", pattern(2 * kWindow, 2));
    EXPECT_TRUE(heat(other));
    EXPECT_TRUE(heat(other, kWindow));
}

// Read once from its beginning to its end, a file is not worth it.
TEST_P(Windows, ReadingOnceMapsNothing) {
    const uint32_t file = make_file("file", pattern(2 * kWindow, 0));
    for (uint64_t at = 0; at < 2 * kWindow; at += kPage)
        ASSERT_EQ(files_->read(file, at, kPage), static_cast<int>(kPage));
    EXPECT_EQ(mapped_reads(), 0u);
    EXPECT_EQ(locked_bytes(), 0u);
}

// Reading through a mapping would fill the holes of a file in memory, and a share may be full or read-only.
TEST_P(Windows, HolesStayHoles) {
    const uint32_t file = make_file("file", "beginning");
    ASSERT_EQ(ftruncate(direct_.get(), 4 * kWindow), 0);
    for (int i = 0; i < 300; i++)
        ASSERT_EQ(files_->read(file, kWindow, 65536), 65536);
    struct stat status;
    ASSERT_EQ(fstat(direct_.get(), &status), 0);
    EXPECT_LT(status.st_blocks * 512, 65536);
}

INSTANTIATE_TEST_SUITE_P(Places, Windows, ::testing::Values("/dev/shm", "/var/tmp"),
                         [](const auto& place) { return std::string(place.index == 0 ? "memory" : "disk"); });

class FaultCopy : public ::testing::Test {
  protected:
    FaultCopy() : fd_(memfd_create("farcall-test", MFD_CLOEXEC)) {
        EXPECT_EQ(ftruncate(fd_.get(), 4 * kPage), 0);
        map_ = static_cast<char*>(mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
        memset(map_, 'x', 4 * kPage);
    }
    ~FaultCopy() override { munmap(map_, 4 * kPage); }

    UniqueFd fd_;
    char* map_;
};

TEST_F(FaultCopy, SaysHowMuchIsMissing) {
    catch_copy_faults();
    std::string to(4 * kPage, ' ');
    EXPECT_EQ(copy_or_fault(to.data(), map_ + 10, 100), 0u);
    EXPECT_EQ(to.substr(0, 101), std::string(100, 'x') + " ");
    EXPECT_EQ(copy_or_fault(to.data(), map_, 0), 0u);
    ASSERT_EQ(ftruncate(fd_.get(), kPage), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(copy_or_fault(to.data(), map_ + 100, 2 * kPage), kPage + 100u);
    EXPECT_EQ(copy_or_fault(map_ + 3 * kPage, to.data(), 17), 17u) << "the target's faults count as well";
}

TEST_F(FaultCopy, OtherFaultsStillEndTheProcess) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            catch_copy_faults();
            (void)ftruncate(fd_.get(), 0);
            const volatile char* at = map_;
            (void)*at;
        },
        "");
    EXPECT_DEATH(
        {
            catch_copy_faults();
            raise(SIGBUS);
        },
        "");
}

#ifndef __has_feature  // gcc has macros instead
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
constexpr bool kSanitizerLocksNothing = true;
#else
constexpr bool kSanitizerLocksNothing = false;
#endif

TEST(MappedWindow, MayNotLockSoMuch) {
    if (kSanitizerLocksNothing) GTEST_SKIP() << "this sanitizer makes mlock() do nothing";
    const TempDir dir;
    dir.write("file", pattern(kWindow, 0));
    const UniqueFd fd(::open((dir.path() / "file").c_str(), O_RDONLY | O_CLOEXEC));
    const auto budget = std::make_shared<Budget>(kWindow);
    const auto without_limit = [&] {
        const rlimit none{0, 0};
        if (setrlimit(RLIMIT_MEMLOCK, &none) < 0) _exit(1);
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0) _exit(2);
        if (!budget->take(kWindow)) _exit(3);
        if (MappedWindow::make(fd.get(), 0, false, budget) != nullptr) _exit(4);
        _exit(budget->take(kWindow) ? 0 : 5);  // it has come back
    };
    // In a child: whoever runs the tests may lock as much as he likes.
    EXPECT_EXIT(without_limit(), ::testing::ExitedWithCode(0), "");
    ASSERT_TRUE(budget->take(kWindow));
    EXPECT_EQ(MappedWindow::make(fd.get(), 1, false, budget), nullptr) << "behind the end of the file";
    ASSERT_TRUE(budget->take(kWindow));
    const auto window = MappedWindow::make(fd.get(), 0, false, budget);
    ASSERT_NE(window, nullptr);
    EXPECT_EQ(window->bytes(), kWindow);
    EXPECT_FALSE(budget->take(1));
}

}  // namespace
}  // namespace farcall::test
