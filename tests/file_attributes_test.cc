// SPDX-License-Identifier: MIT
// SETATTR, STATFS, MKNOD, SEEK and extended attributes: the same as the system calls do, and what a hostile
// client must not do with them.
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <functional>

#include "tests/file_rig.h"

namespace farcall::test {
namespace {

namespace fs = std::filesystem;

class FileAttributes : public FileRig {
  protected:
    struct stat look(const std::string& name) {
        struct stat st {};
        EXPECT_EQ(lstat((dir_.path() / "share" / name).c_str(), &st), 0) << name;
        return st;
    }
    // A file system may have none: /tmp of an old kernel.
    bool has_xattrs() {
        const std::string path = dir_.path() / "share/inside";
        if (setxattr(path.c_str(), "user.probe", "1", 1, 0) == 0)
            return removexattr(path.c_str(), "user.probe") == 0;
        return false;
    }
};

fc_setattr change(
    uint32_t valid, const std::function<void(fc_setattr&)>& set = [](fc_setattr&) {}) {
    fc_setattr wanted{};
    wanted.valid = valid;
    set(wanted);
    return wanted;
}

TEST_F(FileAttributes, ModeSizeAndTimes) {
    const auto wanted =
        change(FC_SETATTR_MODE | FC_SETATTR_SIZE | FC_SETATTR_ATIME | FC_SETATTR_MTIME, [](fc_setattr& a) {
            a.mode = 0641;
            a.size = 3;
            a.atime_ns = -1;  // just before 1970
            a.mtime_ns = 1700000000123456789;
        });
    EXPECT_EQ(files_->setattr(0, "inside", wanted), 0);
    const struct stat st = look("inside");
    EXPECT_EQ(st.st_mode, mode_t{S_IFREG | 0641});
    EXPECT_EQ(st.st_size, 3);
    EXPECT_EQ(st.st_atim.tv_sec, -1);
    EXPECT_EQ(st.st_atim.tv_nsec, 999999999);
    EXPECT_EQ(st.st_mtim.tv_sec, 1700000000);
    EXPECT_EQ(st.st_mtim.tv_nsec, 123456789);
    // By a handle, one at a time: the others stay.
    EXPECT_EQ(files_->setattr(inside(), "", change(FC_SETATTR_ATIME_NOW)), 0);
    EXPECT_EQ(look("inside").st_mtim.tv_nsec, 123456789);
    EXPECT_GT(look("inside").st_atim.tv_sec, 1700000000);
    EXPECT_EQ(files_->setattr(0, "inside", change(FC_SETATTR_SIZE, [](fc_setattr& a) { a.size = 100000; })),
              0);
    EXPECT_EQ(look("inside").st_size, 100000);
    EXPECT_EQ(look("inside").st_mode, mode_t{S_IFREG | 0641});
}

// Also when the name is gone, and with a handle that was opened for reading only.
TEST_F(FileAttributes, AHandleWithoutAName) {
    const uint32_t file = files_->must_open(0, "inside", FC_OPEN_READ);
    EXPECT_EQ(files_->unlink(0, "inside"), 0);
    EXPECT_EQ(files_->setattr(file, "", change(FC_SETATTR_SIZE, [](fc_setattr& a) { a.size = 2; })), 0);
    fc_statx statx;
    EXPECT_EQ(files_->statx(file, "", 0, &statx), 0);
    EXPECT_EQ(statx.stat.size, 2u);
    EXPECT_EQ(statx.stat.links, 0u);
    EXPECT_EQ(files_->seek(file, 0, FC_SEEK_HOLE), 2);
}

TEST_F(FileAttributes, LinksThemselves) {
    const auto old = change(FC_SETATTR_MTIME, [](fc_setattr& a) { a.mtime_ns = 5000000000; });
    EXPECT_EQ(files_->setattr(0, "relative", old, FC_STATX_NOFOLLOW), 0);
    EXPECT_EQ(look("relative").st_mtim.tv_sec, 5);
    EXPECT_EQ(files_->setattr(0, "relative", old), -EXDEV) << "leads out";
    EXPECT_EQ(files_->setattr(0, "relative", change(FC_SETATTR_MODE), FC_STATX_NOFOLLOW), -EOPNOTSUPP);
    EXPECT_EQ(files_->setattr(0, "relative", change(FC_SETATTR_SIZE), FC_STATX_NOFOLLOW), -EINVAL);
}

// What a guest makes must not be a way to another user's rights.
TEST_F(FileAttributes, OwnersAndSetIdBits) {
    const struct stat st = look("inside");
    const auto same = change(FC_SETATTR_UID | FC_SETATTR_GID, [&](fc_setattr& a) {
        a.uid = st.st_uid;
        a.gid = st.st_gid;
    });
    EXPECT_EQ(files_->setattr(0, "inside", same), 0);
    for (const uint32_t which : {FC_SETATTR_UID, FC_SETATTR_GID}) {
        const auto other = change(which | FC_SETATTR_SIZE, [&](fc_setattr& a) {
            a.uid = st.st_uid + 1;
            a.gid = st.st_gid + 1;
        });
        EXPECT_EQ(files_->setattr(0, "inside", other), -EPERM);
    }
    for (const uint32_t mode : {04755u, 02755u, 06755u})
        EXPECT_EQ(
            files_->setattr(0, "inside", change(FC_SETATTR_MODE, [&](fc_setattr& a) { a.mode = mode; })),
            -EPERM);
    EXPECT_EQ(look("inside").st_size, 6) << "refused as a whole";
    for (const uint32_t mode : {01777u, 02775u})
        EXPECT_EQ(files_->setattr(0, "sub", change(FC_SETATTR_MODE, [&](fc_setattr& a) { a.mode = mode; })),
                  0);
    EXPECT_EQ(files_->setattr(0, "sub", change(FC_SETATTR_MODE, [](fc_setattr& a) { a.mode = 04755; })),
              -EPERM);
}

TEST_F(FileAttributes, HostileRequests) {
    const auto mode = change(FC_SETATTR_MODE, [](fc_setattr& a) { a.mode = 0600; });
    EXPECT_EQ(files_->setattr(2, "inside", mode), -EROFS);
    EXPECT_EQ(files_->setattr(files_->must_open(2, "inside", FC_OPEN_READ), "", mode), -EROFS);
    EXPECT_EQ(files_->setattr(FC_HANDLE_STDOUT, "", mode), -EROFS);
    EXPECT_EQ(files_->setattr(9999, "", mode), -EBADF);
    EXPECT_EQ(files_->setattr(inside(), "x", mode), -ENOTDIR);
    EXPECT_EQ(files_->setattr(0, "../secret", mode), -EXDEV);
    EXPECT_EQ(files_->setattr(0, "absolute", mode), -EXDEV);
    EXPECT_EQ(files_->setattr(0, "missing", mode), -ENOENT);
    EXPECT_EQ(files_->setattr(0, "inside", mode, 2), -EINVAL);
    EXPECT_EQ(files_->setattr(0, "inside", change(0x100)), -EINVAL);
    EXPECT_EQ(files_->setattr(0, "inside", change(FC_SETATTR_ATIME | FC_SETATTR_ATIME_NOW)), -EINVAL);
    EXPECT_EQ(files_->setattr(0, "inside", change(0, [](fc_setattr& a) { a.reserved = 1; })), -EINVAL);
    EXPECT_EQ(files_->setattr(0, "inside", change(FC_SETATTR_MODE, [](fc_setattr& a) { a.mode = 010000; })),
              -EINVAL);
    EXPECT_EQ(
        files_->setattr(0, "inside", change(FC_SETATTR_SIZE, [](fc_setattr& a) { a.size = 1ull << 63; })),
        -EFBIG);
    EXPECT_EQ(files_->setattr(0, "sub", change(FC_SETATTR_SIZE)), -EISDIR);
    EXPECT_EQ(files_->setattr(0, "fifo", change(FC_SETATTR_SIZE)), -EINVAL);
    for (const uint64_t at : {FileClient::kIov + 4, uint64_t{TestClient::kArenaBytes} - 40, ~uint64_t{7}}) {
        fc_command c = files_->path_command(FC_OP_SETATTR, 0, "inside", at);
        EXPECT_EQ(files_->run(c), -EFAULT) << at;
    }
    EXPECT_EQ(look("inside").st_mode & 07777, look("inside").st_mode & 0777);
}

TEST_F(FileAttributes, Statfs) {
    struct statvfs there {};
    ASSERT_EQ(statvfs(dir_.path().c_str(), &there), 0);
    fc_statfs here{};
    EXPECT_EQ(files_->statfs(0, &here), 0);
    EXPECT_EQ(here.block_size, there.f_frsize);
    EXPECT_EQ(here.blocks, there.f_blocks);
    EXPECT_EQ(here.name_max, there.f_namemax);
    EXPECT_EQ(files_->statfs(inside(), &here), 0);
    EXPECT_EQ(files_->statfs(9999, &here), -EBADF);
    EXPECT_EQ(files_->run(transfer(FC_OP_STATFS, 1, 0, 0, FileClient::kOutput, sizeof(here) - 1)), -EINVAL);
    EXPECT_EQ(files_->run(transfer(FC_OP_STATFS, 1, 0, 0, TestClient::kArenaBytes - 8, sizeof(here))),
              -EFAULT);
}

TEST_F(FileAttributes, NodesWithoutDevices) {
    EXPECT_EQ(files_->mknod(0, "pipe", S_IFIFO | 0640), 0);
    EXPECT_EQ(files_->mknod(0, "sub/socket", S_IFSOCK | 0600), 0);
    EXPECT_EQ(files_->mknod(0, "plain", S_IFREG | 0600), 0);
    EXPECT_TRUE(S_ISFIFO(look("pipe").st_mode));
    EXPECT_TRUE(S_ISSOCK(look("sub/socket").st_mode));
    EXPECT_TRUE(S_ISREG(look("plain").st_mode));
    EXPECT_EQ(files_->mknod(0, "plain", S_IFREG | 0600), -EEXIST);
    for (const uint64_t type : {S_IFCHR, S_IFBLK, S_IFDIR, S_IFLNK, 0})
        EXPECT_EQ(files_->mknod(0, "node", type | 0600), -EPERM) << type;
    EXPECT_EQ(files_->mknod(0, "node", S_IFREG | 04755), -EINVAL);
    EXPECT_EQ(files_->mknod(0, "node", 1ull << 32 | S_IFREG), -EINVAL);
    EXPECT_EQ(files_->mknod(2, "node", S_IFREG), -EROFS);
    EXPECT_EQ(files_->mknod(0, "../node", S_IFREG), -EXDEV);
    EXPECT_EQ(files_->mknod(0, "relative/node", S_IFREG), -EXDEV);
}

TEST_F(FileAttributes, SeekLeavesThePositionAlone) {
    const uint32_t file = inside();
    EXPECT_EQ(files_->read(file, FC_OFFSET_CURRENT, 2), 2);
    EXPECT_EQ(files_->seek(file, 0, FC_SEEK_DATA), 0);
    EXPECT_EQ(files_->seek(file, 1, FC_SEEK_HOLE), 6) << "at the end there is one";
    EXPECT_EQ(files_->seek(file, 6, FC_SEEK_DATA), -ENXIO);
    EXPECT_EQ(files_->seek(file, 1ull << 63, FC_SEEK_DATA), -ENXIO);
    for (const unsigned how : {0u, 3u, 4u})
        EXPECT_EQ(files_->seek(file, 0, how), -EINVAL) << how;
    EXPECT_EQ(files_->seek(0, 0, FC_SEEK_DATA), -EINVAL);
    EXPECT_EQ(files_->seek(files_->must_open(0, "inside", FC_OPEN_WRITE), 0, FC_SEEK_DATA), -EINVAL);
    EXPECT_EQ(files_->read(file, FC_OFFSET_CURRENT, 10), 4);
    EXPECT_EQ(files_->text(4), "side");
}

TEST_F(FileAttributes, ExtendedAttributes) {
    if (!has_xattrs())
        GTEST_SKIP() << "NOT TESTED: this machine's " << dir_.path() << " has no user.* attributes";
    std::string text;
    EXPECT_EQ(files_->setxattr(0, "inside", "user.one", "value"), 0);
    EXPECT_EQ(files_->setxattr(0, "inside", "user.one", "again", FC_XATTR_CREATE), -EEXIST);
    EXPECT_EQ(files_->setxattr(inside(), "", "user.two", "", FC_XATTR_CREATE), 0);
    EXPECT_EQ(files_->setxattr(0, "inside", "user.three", "", FC_XATTR_REPLACE), -ENODATA);
    EXPECT_EQ(files_->getxattr(0, "inside", "user.one", 0, &text), 5);
    EXPECT_EQ(files_->getxattr(0, "inside", "user.one", 4, &text), -ERANGE);
    EXPECT_EQ(files_->getxattr(inside(), "", "user.one", 100, &text), 5);
    EXPECT_EQ(text, "value");
    EXPECT_EQ(files_->getxattr(0, "inside", "user.two", 100, &text), 0);
    EXPECT_EQ(files_->listxattr(0, "inside", 0, &text), 18);
    EXPECT_EQ(files_->listxattr(0, "inside", 17, &text), -ERANGE);
    EXPECT_EQ(files_->listxattr(0, "inside", 100, &text), 18);
    EXPECT_NE(text.find(std::string("user.two\0", 9)), std::string::npos);
    EXPECT_EQ(files_->removexattr(0, "inside", "user.one"), 0);
    EXPECT_EQ(files_->getxattr(0, "inside", "user.one", 100, &text), -ENODATA);
}

TEST_F(FileAttributes, ExtendedAttributesOfOthers) {
    std::string text;
    for (const char* name :
         {"security.capability", "trusted.x", "system.posix_acl_access", "user.", "user", ""}) {
        EXPECT_EQ(files_->setxattr(0, "inside", name, "x"), -EOPNOTSUPP) << name;
        EXPECT_EQ(files_->getxattr(0, "inside", name, 100, &text), -EOPNOTSUPP) << name;
        EXPECT_EQ(files_->removexattr(0, "inside", name), -EOPNOTSUPP) << name;
    }
    EXPECT_EQ(files_->setxattr(2, "inside", "user.x", "x"), -EROFS);
    EXPECT_EQ(files_->removexattr(2, "inside", "user.x"), -EROFS);
    EXPECT_EQ(files_->setxattr(0, "../secret", "user.x", "x"), -EXDEV);
    EXPECT_EQ(files_->setxattr(0, "inside", "user." + std::string(251, 'x'), "x"), -ERANGE);
    EXPECT_EQ(files_->setxattr(0, "inside", std::string("user.a\0b", 8), "x"), -EINVAL);
    EXPECT_EQ(files_->run(files_->path_command(FC_OP_GETXATTR, 0, "inside", FileClient::kIov)), -EINVAL);
    files_->set_output(FC_MAX_XATTR_BYTES + 1, FileClient::kData);
    const std::string named = FileClient::pair("inside", "user.x");
    EXPECT_EQ(files_->run(files_->path_command(FC_OP_SETXATTR, 0, named, FileClient::kIov)), -E2BIG);
    EXPECT_EQ(files_->run(files_->path_command(FC_OP_SETXATTR, 0, named, FileClient::kIov + 4)), -EFAULT);
    EXPECT_EQ(files_->run(files_->path_command(FC_OP_SETXATTR, 0, named, FileClient::kIov, 8)), -EINVAL);
}

}  // namespace
}  // namespace farcall::test
