// SPDX-License-Identifier: MIT
// Ops on files where several things meet: many regions, many commands, file systems, variables, clients that
// leave.
#include <linux/magic.h>
#include <sys/vfs.h>

#include <set>
#include <thread>

#include "tests/file_rig.h"

namespace farcall::test {
namespace {

namespace fs = std::filesystem;

using FileOps = FileRig;

constexpr uint64_t kEnd = TestClient::kArenaBytes;

// Through the pool too, each piece in its place, and a short one judged by the sum of the pieces.
TEST_F(FileOps, PiecesOfManyRegions) {
    const uint32_t file = files_->must_open(0, "long", FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_CREATE);
    std::vector<fc_iov> iovs;
    for (uint32_t i = 0; i < FC_MAX_IOV; i++)
        iovs.push_back({0, i % 2 ? 0 : add_region(4096, FC_REGION_WRITE), 4096});
    for (uint32_t i = 1; i < FC_MAX_IOV; i += 2)
        iovs[i].buffer = FileClient::kData + i * 8192;
    for (uint32_t i = 0; i < FC_MAX_IOV * 8192; i++)
        files_->data()[i] = static_cast<std::byte>(i / 8192);
    EXPECT_EQ(files_->run(files_->vector_command(FC_OP_WRITEV, file, 0, iovs)), 64 * 4096);
    const std::string text = dir_.read("share/long");
    ASSERT_EQ(text.size(), 64u * 4096);
    for (size_t i = 0; i < FC_MAX_IOV; i++)
        EXPECT_EQ(text[i * 4096 + 17], static_cast<char>(i % 2 ? i : 0)) << i;
    fc_command c = with_id(files_->vector_command(FC_OP_READV, file, 4096, iovs));
    c.id = client_->new_id();
    c.flags |= FC_F_SHORT_STOP;
    const fc_event event = client_->run(c);
    EXPECT_EQ(event.result, 63 * 4096);
    EXPECT_TRUE(event.flags & FC_E_SHORT);
}

// The handle that a variable gives, and a 64-bit operand in `buffer` that another gives.
TEST_F(FileOps, SecondHandleAndBufferFromVariables) {
    const uint32_t in = inside(), out = files_->must_open(0, "out", FC_OPEN_WRITE | FC_OPEN_CREATE);
    fc_command c = FileClient::copy_command(FC_OP_COPY, in, 0, 3, 4, 6);
    c.flags = FC_F_VAR_REGION | FC_F_VAR_BUFFER;
    client_->variable(3) = out;
    client_->variable(4) = 2;
    EXPECT_EQ(files_->run(c), 6);
    EXPECT_EQ(dir_.read("share/out"), std::string("\0\0inside", 8));
    client_->variable(3) = 1ull << 32 | out;
    EXPECT_EQ(files_->run(c), -EBADF) << "a handle has 32 bits";
    c.region = kEnd / 8;
    EXPECT_EQ(files_->run(c), -EFAULT);
    c = transfer(FC_OP_READ, 1, in, 0, FileClient::kData, 1);
    c.flags = FC_F_VAR_REGION;
    EXPECT_EQ(files_->run(c), -EINVAL) << "a region key is no second handle";
}

// A client that goes away does not wait for a stream that nobody reads.
TEST_F(FileOps, SendingEndsWithItsClient) {
    TestClient other(*domain_);
    client_->destroy();
    TestClient client(*domain_, {.client_flags = FC_CLIENT_STREAMS});
    FileClient files(client);
    const uint32_t file = files.must_open(0, "big", FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_CREATE);
    EXPECT_EQ(files.ftruncate(file, 1 << 30), 0);
    client.post(
        FileClient::copy_command(FC_OP_SENDFILE, file, 0, FC_HANDLE_STDOUT, FC_OFFSET_CURRENT, 1 << 30));
    EXPECT_EQ(client.run(nop(2, 3)).result, 3);
    EXPECT_EQ(client.destroy().status, 0);
    client_ = std::make_unique<TestClient>(*domain_);
}

TEST_F(FileOps, NamesComeWholeToManyAtOnce) {
    for (int i = 0; i < 300; i++)
        dir_.write("share/sub/" + std::to_string(i) + std::string(i % 200, 'x'), "");
    const uint32_t dir = files_->must_open(0, "sub", FC_OPEN_READ);
    const auto getdents = [&](uint64_t cookie, uint64_t at, uint32_t room) {
        return transfer(FC_OP_GETDENTS, 1, dir, cookie, at, room);
    };
    EXPECT_EQ(files_->run(getdents(0, FileClient::kData, 20)), -EINVAL);
    EXPECT_EQ(files_->run(getdents(1ull << 63, FileClient::kData, 4096)), -EINVAL);
    EXPECT_EQ(files_->run(getdents(0, kEnd - 100, 4096)), -EFAULT);
    EXPECT_EQ(files_->getdents(0, FC_OFFSET_CURRENT, 4096), -EINVAL) << "the share's own handle";
    EXPECT_EQ(files_->getdents(inside(), 0, 4096), -ENOTDIR);
    // From the current position, 16 commands at a time: each name once.
    std::multiset<std::string> names;
    client_->run(getdents(0, FileClient::kData, 24));  // to the start; "." alone
    for (bool more = true; more;) {
        more = false;
        for (uint64_t i = 0; i < 16; i++) {
            fc_command c = getdents(FC_OFFSET_CURRENT, FileClient::kData + i * 2048, 2048);
            c.id = i;
            client_->post(c);
        }
        for (const auto& [id, event] : client_->collect(16)) {
            ASSERT_GE(event.result, 0);
            more |= event.result > 0;
            for (int at = 0; at < event.result;) {
                const auto* entry = reinterpret_cast<const fc_dirent*>(files_->data() + id * 2048 + at);
                names.insert(entry->name);
                at += entry->reclen;
            }
        }
    }
    EXPECT_GE(names.size(), 300u);
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size()) << "none twice";
}

// Names that the kernel has in memory are looked up and opened where they are asked for.
TEST_F(FileOps, KnownNamesNeedNoOtherThread) {
    struct statfs fs {};
    ASSERT_EQ(statfs(dir_.path().c_str(), &fs), 0);
    if (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != TMPFS_MAGIC)
        GTEST_SKIP() << "NOT TESTED: " << dir_.path() << " lies on another file system than ext4 or tmpfs";
    fc_statx statx;
    EXPECT_EQ(files_->statx(0, "sub", 0, &statx), 0);
    EXPECT_EQ(files_->statx(0, "none", 0, &statx), -ENOENT);
    const auto before = engine_.stats().pool_jobs;
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(files_->statx(0, "inside", 0, &statx), 0);
        EXPECT_EQ(statx.stat.size, 6u);
        EXPECT_EQ(files_->statx(0, "none", 0, &statx), -ENOENT);
        EXPECT_EQ(files_->statx(0, "relative", FC_STATX_NOFOLLOW, &statx), 0);
        EXPECT_EQ(files_->open(0, "none", FC_OPEN_READ), -ENOENT);
        EXPECT_EQ(files_->open(0, "fifo", FC_OPEN_READ), -EPERM);
        EXPECT_EQ(files_->open(2, "inside", FC_OPEN_WRITE), -EROFS);
    }
    const uint32_t file = inside();
    EXPECT_EQ(files_->write(file, 0, "INSIDE"), 6);
    EXPECT_LE(engine_.stats().pool_jobs, before + 5) << "a write may go there, lookups do not";
}

// A table without room: the file is closed again, and the next close makes room.
TEST_F(FileOps, FullHandleTable) {
    std::vector<uint32_t> handles;
    for (int i = 0; i < 8; i++)
        handles.push_back(files_->must_open(0, "inside", FC_OPEN_READ));
    const auto descriptors = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    const auto before = descriptors();
    for (int i = 0; i < 50; i++)
        EXPECT_EQ(files_->open(0, "inside", FC_OPEN_READ), -EMFILE);
    for (int i = 0; i < 5000 && descriptors() > before; i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(descriptors(), before);
    EXPECT_EQ(files_->close(handles[3]), 0);
    EXPECT_GT(files_->open(0, "inside", FC_OPEN_READ), 0);
}

// Renames while paths with ".." are looked up: never an escape, and never a false error.
TEST_F(FileOps, DirectoriesMoveUnderThePaths) {
    fs::create_directories(dir_.path() / "share/x/y");
    TestClient other_client(*domain_);
    FileClient other(other_client);
    std::atomic<bool> stop = false;
    std::jthread mover([&] {
        while (!stop) {
            other.rename(0, "x/y", 0, "sub/y");
            other.rename(0, "sub/y", 0, "x/y");
        }
    });
    fc_statx statx;
    for (int i = 0; i < 300; i++) {
        EXPECT_EQ(files_->statx(0, "x/../sub/../inside", 0, &statx), 0);
        EXPECT_EQ(files_->statx(0, "sub/../../secret", 0, &statx), -EXDEV);
        const int out = files_->statx(0, "x/y/../../../secret", 0, &statx);
        EXPECT_TRUE(out == -EXDEV || out == -ENOENT) << out;
    }
    stop = true;
}

std::string counted(size_t bytes) {
    std::string text(bytes, '\0');
    for (size_t i = 0; i < bytes; i++)
        text[i] = static_cast<char>(i * 31 % 251);
    return text;
}

// Where the kernel cannot copy: another file system, and a file that does not say how long it is.
TEST_F(FileOps, CopiesBetweenFileSystems) {
    const std::string there = "/dev/shm/farcall-" + std::to_string(getpid());
    fs::create_directory(there);
    DomainConfig config;
    for (const std::string& path : {(dir_.path() / "share").string(), there, std::string("/proc/self")})
        config.shares.push_back({path, true});
    auto domain = engine_.create_domain(config);
    TestClient client(*domain);
    FileClient files(client);
    const std::string text = counted(700000);
    dir_.write("share/from", text);
    const unsigned make = FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_CREATE;
    const uint32_t from = files.must_open(0, "from", FC_OPEN_READ), to = files.must_open(1, "to", make);
    EXPECT_EQ(files.copy(from, 1000, to, 5, 600000), 600000);
    EXPECT_EQ(files.copy(from, FC_OFFSET_CURRENT, to, FC_OFFSET_CURRENT, 10), 10);
    EXPECT_EQ(files.copy(from, FC_OFFSET_CURRENT, to, 600005, 800000), 699990);
    EXPECT_EQ(files.copy(from, FC_OFFSET_CURRENT, to, 0, 100), 0) << "the end";
    std::ifstream in(there + "/to", std::ios::binary);
    const std::string copied{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(copied, text.substr(0, 10) + text.substr(1005, 599995) + text.substr(10));
    const int length = files.copy(files.must_open(2, "cmdline", FC_OPEN_READ), 0, to, 0, 4096);
    EXPECT_GT(length, 0);
    fs::remove_all(there);
}

// A large file in memory whose name is gone: what its last close frees is no work for the worker.
TEST_F(FileOps, LargeFilesGoAwayInThePool) {
    const std::string there = "/dev/shm/farcall-" + std::to_string(getpid());
    fs::create_directory(there);
    DomainConfig config;
    config.shares.push_back({there, true});
    auto domain = engine_.create_domain(config);
    TestClient client(*domain);
    FileClient files(client);
    const auto jobs = [&] { return engine_.stats().pool_jobs; };
    for (const uint32_t bytes : {4096u, 8u << 20}) {
        const uint32_t file = files.must_open(0, "file", FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_CREATE);
        EXPECT_EQ(files.fallocate(file, 0, 0, bytes), 0);
        auto before = jobs();
        EXPECT_EQ(files.ftruncate(file, 2 * bytes), 0);
        EXPECT_EQ(jobs() - before, 0u) << "longer costs nothing";
        EXPECT_EQ(files.ftruncate(file, bytes), 0);
        EXPECT_EQ(files.unlink(0, "file"), 0);
        before = jobs();
        EXPECT_EQ(files.close(file), 0);
        EXPECT_EQ(jobs() - before, bytes > 4096 ? 1u : 0u) << bytes;
    }
    fs::remove_all(there);
}

}  // namespace
}  // namespace farcall::test
