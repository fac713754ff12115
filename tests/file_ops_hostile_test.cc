// SPDX-License-Identifier: MIT
// What a hostile client can ask of the ops on files, one by one: the right errno, and nothing outside of the
// share, nor anything read-only, has changed.
#include "tests/file_rig.h"

namespace farcall::test {
namespace {

namespace fs = std::filesystem;

using FileOpsHostile = FileRig;

constexpr uint32_t kBadKeys[] = {100u, 0x10000u, 0xffffffffu};
constexpr uint64_t kEnd = TestClient::kArenaBytes;
constexpr uint64_t kTop = ~uint64_t{0};

TEST_F(FileOpsHostile, ArraysOfPiecesAreChecked) {
    const uint32_t file = inside();
    const uint32_t read_only = add_region(4096, 0);
    for (const uint8_t op : {FC_OP_READV, FC_OP_WRITEV}) {
        SCOPED_TRACE(static_cast<int>(op));
        const fc_iov good{FileClient::kData, 0, 3};
        fc_command c = files_->vector_command(op, file, 0, {good, good});
        EXPECT_EQ(files_->run(c), 6);
        c.length = 0;
        EXPECT_EQ(files_->run(c), 0);
        for (const uint32_t length : {15u, 17u, FC_MAX_IOV * 16 + 16, 0xfffffff0u}) {
            c.length = length;
            EXPECT_EQ(files_->run(c), -EINVAL) << length;
        }
        c.length = 32;
        for (const uint64_t at : {kEnd - 16, kEnd, kTop - 15, FileClient::kIov + 4}) {
            c.buffer = at;
            EXPECT_EQ(files_->run(c), -EFAULT) << at;
        }
        c.buffer = FileClient::kIov;
        for (const uint32_t key : kBadKeys) {
            c.region = key;
            EXPECT_EQ(files_->run(c), -EIDRM) << key;
            EXPECT_EQ(files_->run(files_->vector_command(op, file, 0, {good, {0, key, 1}})), -EIDRM) << key;
        }
        for (const uint64_t at : {kEnd - 1, kTop - 1})
            EXPECT_EQ(files_->run(files_->vector_command(op, file, 0, {good, {at, 0, 2}})), -EFAULT) << at;
        const std::vector<fc_iov> huge(5, {0, add_region(512 << 20, FC_REGION_WRITE), 512 << 20});
        EXPECT_EQ(files_->run(files_->vector_command(op, file, 0, huge)), -EINVAL) << "2.5 GiB";
        EXPECT_EQ(files_->run(files_->vector_command(op, file, 0, {good, {0, read_only, 1}})),
                  op == FC_OP_READV ? -EACCES : 4);
        EXPECT_EQ(files_->run(files_->vector_command(op, 0, 0, {good})), -EISDIR);
        EXPECT_EQ(files_->run(files_->vector_command(op, 9999, 0, {good})), -EBADF);
        EXPECT_EQ(files_->run(files_->vector_command(op, file, 1ull << 63, {good})), -EINVAL);
    }
}

TEST_F(FileOpsHostile, OutputsAreChecked) {
    for (const uint8_t op : {FC_OP_STATX, FC_OP_READLINK}) {
        SCOPED_TRACE(static_cast<int>(op));
        fc_command c = files_->path_command(op, 0, "relative", FileClient::kIov,
                                            op == FC_OP_STATX ? FC_STATX_NOFOLLOW : 0);
        const auto with = [&](uint32_t length, uint64_t buffer, uint32_t region) {
            files_->set_output(length, buffer, region);
            return files_->run(c);
        };
        EXPECT_GE(with(4096, FileClient::kOutput, 0), 0);
        EXPECT_EQ(with(4096, kEnd - 4095, 0), -EFAULT);
        EXPECT_EQ(with(4096, kTop, 0), -EFAULT);
        EXPECT_EQ(with(0, FileClient::kOutput, 0), -EINVAL);
        EXPECT_EQ(with(4096, 0, add_region(4096, 0)), -EACCES);
        for (const uint32_t key : kBadKeys)
            EXPECT_EQ(with(4096, 0, key), -EIDRM) << key;
        for (const uint64_t at : {FileClient::kIov + 4, kEnd - 8, kEnd, kTop - 7}) {
            c.offset = at;
            EXPECT_EQ(files_->run(c), -EFAULT) << at;
        }
    }
    fc_statx statx;
    files_->set_output(sizeof(statx) - 1);
    EXPECT_EQ(files_->run(files_->path_command(FC_OP_STATX, 0, "inside", FileClient::kIov)), -EINVAL);
    EXPECT_EQ(files_->statx(0, "inside", 2, &statx), -EINVAL);
    EXPECT_EQ(files_->statx(FC_HANDLE_STDIN, "", 0, &statx), -ENODEV);
    EXPECT_EQ(files_->statx(FC_HANDLE_STDOUT, "", 0, &statx), 0);
    EXPECT_TRUE(S_ISFIFO(statx.stat.mode));
    EXPECT_EQ(files_->statx(0, "fifo", 0, &statx), 0) << "looking at it has no effect";
}

// Paths: each op, each way that a path can be wrong.
TEST_F(FileOpsHostile, PathsAreChecked) {
    const auto ops = [&](uint32_t dir, const std::string& path) {
        files_->set_output(4096);
        std::vector<fc_command> list{files_->path_command(FC_OP_STATX, dir, path, FileClient::kIov),
                                     files_->path_command(FC_OP_READLINK, dir, path, FileClient::kIov),
                                     files_->path_command(FC_OP_UNLINK, dir, path),
                                     files_->path_command(FC_OP_MKDIR, dir, path, 0755)};
        return list;
    };
    const auto expect = [&](uint32_t dir, const std::string& path, int error) {
        for (const fc_command& c : ops(dir, path))
            EXPECT_EQ(files_->run(c), error) << int{c.opcode} << ' ' << path.substr(0, 40);
        // Two paths, the bad one first and second.
        for (const uint8_t op : {FC_OP_RENAME, FC_OP_LINK}) {
            EXPECT_EQ(files_->run(files_->path_command(op, dir, FileClient::pair(path, "new"), dir)), error);
            EXPECT_EQ(files_->run(files_->path_command(op, dir, FileClient::pair("inside", path), dir)),
                      error)
                << int{op} << ' ' << path.substr(0, 40);
        }
        EXPECT_EQ(files_->symlink("anything", dir, path), error) << path.substr(0, 40);
    };
    // The handle's faults come first.
    expect(9999, "", -EBADF);
    expect(9999, std::string("a\0b", 3), -EBADF);
    const uint32_t file = inside();
    expect(0, "../secret", -EXDEV);
    expect(0, "sub/../../secret", -EXDEV);
    expect(0, "relative/x", -EXDEV);
    expect(0, "absolute/x", -EXDEV);
    expect(0, "/etc/passwd", -EXDEV);
    expect(0, std::string(FC_MAX_PATH, 'a'), -ENAMETOOLONG);
    expect(0, "sub/" + std::string(256, 'a'), -ENAMETOOLONG);
    expect(0, "inside/x", -ENOTDIR);
    expect(0, "missing/x", -ENOENT);
    expect(file, "x", -ENOTDIR);
    expect(FC_HANDLE_STDOUT, "x", -ENOTDIR);
    expect(9999, "x", -EBADF);
    for (const fc_command& c : ops(0, std::string("a\0b", 3)))
        EXPECT_EQ(files_->run(c), -EINVAL);
    for (fc_command c : ops(0, "inside")) {
        c.buffer = kEnd - 3;
        EXPECT_EQ(files_->run(c), -EFAULT);
        c.region = 0xffffffff;
        EXPECT_EQ(files_->run(c), -EIDRM);
    }
    for (const std::string& text :
         {std::string("one"), std::string("a\0b\0", 4), std::string("a\0b\0c", 5), std::string()})
        for (const uint8_t op : {FC_OP_RENAME, FC_OP_LINK, FC_OP_SYMLINK})
            EXPECT_EQ(files_->run(files_->path_command(op, 0, text)), -EINVAL)
                << int{op} << ' ' << text.size();
    EXPECT_EQ(files_->run(files_->path_command(FC_OP_RENAME, 0, std::string(2 * FC_MAX_PATH, 'a'))),
              -ENAMETOOLONG);
    EXPECT_EQ(files_->symlink("", 0, "new"), -ENOENT);
}

TEST_F(FileOpsHostile, NothingChangesInAReadOnlyShareOrAcrossShares) {
    const uint32_t sub = files_->must_open(2, "sub", FC_OPEN_READ | FC_OPEN_DIRECTORY);
    for (const uint32_t dir : {2u, sub}) {
        EXPECT_EQ(files_->mkdir(dir, "new"), -EROFS);
        EXPECT_EQ(files_->unlink(dir, "inside"), -EROFS);
        EXPECT_EQ(files_->symlink("x", dir, "new"), -EROFS);
        EXPECT_EQ(files_->rename(dir, "inside", dir, "new"), -EROFS);
        EXPECT_EQ(files_->rename(0, "inside", dir, "new"), -EROFS);
        EXPECT_EQ(files_->link(dir, "inside", dir, "new"), -EROFS);
        EXPECT_EQ(files_->link(0, "inside", dir, "new"), -EROFS);
    }
    const uint32_t file = files_->must_open(2, "inside", FC_OPEN_READ);
    EXPECT_EQ(files_->ftruncate(file, 0), -EINVAL);
    EXPECT_EQ(files_->fallocate(file, 0, 0, 100), -EBADF);
    EXPECT_EQ(files_->copy(inside(), 0, file, 0, 3), -EBADF);
    EXPECT_EQ(files_->rename(0, "inside", 1, "new"), -EXDEV);
    EXPECT_EQ(files_->link(0, "inside", 1, "new"), -EXDEV);
    EXPECT_EQ(files_->link(0, "fifo", 0, "fifo2"), 0);
    EXPECT_EQ(files_->open(0, "fifo2", FC_OPEN_READ), -EPERM) << "by any name";
    // The one device that every user may create.
    ASSERT_EQ(mknod((dir_.path() / "share/device").c_str(), S_IFCHR | 0600, 0), 0);
    EXPECT_EQ(files_->link(0, "device", 0, "new"), -EPERM);
    EXPECT_EQ(dir_.read("share/inside"), "inside");
    EXPECT_TRUE(fs::is_empty(dir_.path() / "other"));
}

TEST_F(FileOpsHostile, AShareThatIsAFileHasNothingBesideIt) {
    dir_.write("share/image", "an image");
    const std::string path = dir_.path() / "share/image";
    const UniqueFd writable(open(path.c_str(), O_RDWR | O_CLOEXEC)),
        read_only(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    DomainConfig config;
    config.shares = {{path, true, writable.get()}, {path, false, read_only.get()}};
    const auto domain = engine_.create_domain(config);
    TestClient process(*domain), kernel(*domain, {.client_flags = FC_CLIENT_KERNEL});
    FileClient others(process), files(kernel);
    const uint32_t file = files.must_open(0, ".", FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_NOFOLLOW);
    const uint32_t reader = files.must_open(1, ".", FC_OPEN_READ);
    EXPECT_EQ(files.write(file, 3, "IMAGE"), 5);
    EXPECT_EQ(files.read(reader, 0, 100), 8);
    EXPECT_EQ(files.text(8), "an IMAGE");
    EXPECT_EQ(files.write(reader, 0, "x"), -EBADF);
    fc_statx status;
    fc_statfs whole;
    for (const uint32_t share : {0u, 1u}) {
        SCOPED_TRACE(share);
        EXPECT_EQ(others.open(share, ".", FC_OPEN_READ), -EBADF) << "the guest's kernel alone has it";
        EXPECT_EQ(others.statx(share, "", 0, &status), -EBADF);
        EXPECT_EQ(files.statx(share, "", 0, &status), 0);
        EXPECT_TRUE(S_ISREG(status.stat.mode));
        EXPECT_EQ(files.statfs(share, &whole), 0);
        for (const char* name : {"..", "../share/inside", "inside", "./inside", "/etc/passwd", "image"}) {
            EXPECT_EQ(files.open(share, name, FC_OPEN_READ), -ENOTDIR) << name;
            EXPECT_EQ(files.statx(share, name, 0, &status), -ENOTDIR) << name;
            EXPECT_EQ(files.unlink(share, name), -ENOTDIR) << name;
            EXPECT_EQ(files.rename(share, name, share, "new"), -ENOTDIR) << name;
            EXPECT_EQ(files.link(share, name, share, "new"), -ENOTDIR) << name;
        }
        EXPECT_EQ(files.mkdir(share, "new"), -ENOTDIR);
        EXPECT_EQ(files.symlink("x", share, "new"), -ENOTDIR);
        EXPECT_EQ(files.mknod(share, "new", S_IFREG | 0600), -ENOTDIR);
        EXPECT_EQ(files.getdents(share, 0, 4096), -ENOTDIR);
        EXPECT_EQ(files.open(share, ".", FC_OPEN_READ | FC_OPEN_DIRECTORY), -ENOTDIR);
        EXPECT_EQ(files.read(share, 0, 4), -EBADF) << "its own handle has a position for all";
        EXPECT_EQ(files.write(share, 0, "x"), -EBADF);
        EXPECT_EQ(files.ftruncate(share, 0), -EINVAL);
        EXPECT_EQ(files.close(share), -EPERM);
    }
    EXPECT_EQ(files.open(0, "new", FC_OPEN_WRITE | FC_OPEN_CREATE), -ENOTDIR);
    EXPECT_EQ(files.open(0, ".", FC_OPEN_WRITE | FC_OPEN_CREATE), -ENOTDIR);
    EXPECT_EQ(files.open(1, ".", FC_OPEN_WRITE), -EROFS);
    EXPECT_EQ(files.fallocate(1, 0, 0, 4096), -EBADF);
    EXPECT_EQ(files.setxattr(1, "", "user.x", "y"), -EROFS);
    EXPECT_EQ(dir_.read("share/image"), "an IMAGE");
    EXPECT_EQ(fcntl(writable.get(), F_GETFL) & O_ACCMODE, O_RDWR) << "borrowed";
}

TEST_F(FileOpsHostile, UnknownFlagsAndModes) {
    EXPECT_EQ(files_->mkdir(0, "new", 01000), -EINVAL);
    EXPECT_EQ(files_->mkdir(0, "new", kTop), -EINVAL);
    EXPECT_EQ(files_->unlink(0, "inside", 2), -EINVAL);
    EXPECT_EQ(files_->rename(0, "inside", 0, "new", 4), -EINVAL) << "RENAME_WHITEOUT makes a device";
    for (const unsigned mode : {4u, 8u, 0x20u, 0x40u, 0x8000u})
        EXPECT_EQ(files_->fallocate(inside(), mode, 0, 4096), -EINVAL) << mode;
}

TEST_F(FileOpsHostile, CopiesAreChecked) {
    const uint32_t file = inside(), write_only = files_->must_open(0, "out", FC_OPEN_WRITE | FC_OPEN_CREATE);
    EXPECT_EQ(files_->copy(file, 0, write_only, 0, 6), 6);
    EXPECT_EQ(files_->copy(write_only, 0, file, 0, 6), -EBADF);
    EXPECT_EQ(files_->copy(0, 0, file, 0, 6), -EISDIR);
    EXPECT_EQ(files_->copy(file, 0, 0, 0, 6), -EISDIR);
    EXPECT_EQ(files_->copy(file, 0, 9999, 0, 6), -EBADF);
    EXPECT_EQ(files_->copy(file, 0, FC_HANDLE_STDOUT, 0, 6), -EINVAL);
    EXPECT_EQ(files_->copy(file, 1ull << 63, write_only, 0, 6), -EINVAL);
    EXPECT_EQ(files_->copy(file, 0, write_only, 1ull << 63, 6), -EINVAL);
    EXPECT_EQ(files_->copy(file, 0, file, 2, 4), -EINVAL) << "overlap";
    EXPECT_EQ(dir_.read("share/inside"), "inside");
    EXPECT_EQ(files_->copy(file, 0, write_only, 0, FC_MAX_TRANSFER + 1), -EINVAL);
    const auto send = [&](uint32_t in, uint64_t at, uint32_t out, uint64_t out_at, uint32_t bytes) {
        return files_->run(FileClient::copy_command(FC_OP_SENDFILE, in, at, out, out_at, bytes));
    };
    EXPECT_EQ(send(file, 0, FC_HANDLE_STDOUT, 0, 6), -ESPIPE);
    EXPECT_EQ(send(file, 0, write_only, FC_OFFSET_CURRENT, 6), -EINVAL);
    EXPECT_EQ(send(0, 0, FC_HANDLE_STDOUT, FC_OFFSET_CURRENT, 6), -EISDIR);
    EXPECT_EQ(send(file, 0, FC_HANDLE_STDIN, FC_OFFSET_CURRENT, 6), -EBADF);
    EXPECT_EQ(send(file, 0, FC_HANDLE_STDERR, FC_OFFSET_CURRENT, 100), 6) << "no such stream: swallowed";
    EXPECT_EQ(send(file, 2, FC_HANDLE_STDOUT, FC_OFFSET_CURRENT, 100), 4);
    char text[8] = {};
    EXPECT_EQ(read(pipe_out_.get(), text, sizeof(text)), 4);
    EXPECT_STREQ(text, "side");
}

}  // namespace
}  // namespace farcall::test
