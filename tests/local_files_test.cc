// SPDX-License-Identifier: MIT
// The helpers of <farcall/prep_files.h> say what they promise: each op once, through libfarcall and a local
// server.
#include <dirent.h>
#include <sys/stat.h>

#include <set>

#include "tests/local_rig.h"

namespace farcall::test {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kShare = FC_HANDLE_SHARE(1);

class LocalFilesTest : public ::testing::Test {
  protected:
    /// Puts a path, or two, to the start of the buffer. Returns its length.
    uint32_t put(const std::string& text) {
        text.copy(reinterpret_cast<char*>(buffer_.data()), text.size());
        return static_cast<uint32_t>(text.size());
    }
    uint32_t put(const std::string& first, const std::string& second) {
        return put(first + std::string(1, '\0') + second);
    }
    uint64_t at(uint64_t offset) const { return buffer_.offset() + offset; }
    template <class T>
    T& value(uint64_t offset) {
        return *reinterpret_cast<T*>(buffer_.data() + offset);
    }
    int go() { return run(channel_, command_); }
    uint32_t file(const std::string& name) {
        const int handle =
            open_path(client_, channel_, kShare, name, FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_CREATE);
        EXPECT_GE(handle, static_cast<int>(FC_FIRST_HANDLE));
        return static_cast<uint32_t>(handle);
    }
    fs::path path(const std::string& name) const { return directory_.path() + "/rw/" + name; }

    LocalDirectory directory_;
    LocalHost host_{directory_};
    client::Client client_{directory_.where().c_str()};
    client::Channel channel_{client_};
    client::Buffer buffer_{client_, 65536};
    fc_command command_;
};

TEST_F(LocalFilesTest, VectorsSizesAndCopies) {
    const uint32_t from = file("from"), to = file("to");
    auto* iovs = &value<fc_iov>(64);
    memcpy(buffer_.data() + 1024, "onetwo", 6);
    iovs[0] = {at(1027), buffer_.region(), 3};
    iovs[1] = {at(1024), buffer_.region(), 3};
    farcall_prep_writev(&command_, from, 2, buffer_.region(), at(64), 2);
    ASSERT_EQ(go(), 6);
    iovs[0] = {at(2048), buffer_.region(), 4};
    iovs[1] = {at(3072), buffer_.region(), 100};
    farcall_prep_readv(&command_, from, 0, buffer_.region(), at(64), 2);
    ASSERT_EQ(go(), 8);
    EXPECT_EQ(memcmp(buffer_.data() + 2048, "\0\0tw", 4), 0);
    EXPECT_EQ(memcmp(buffer_.data() + 3072, "oone", 4), 0);

    farcall_prep_copy(&command_, from, 2, to, 1, 100);
    EXPECT_EQ(go(), 6);
    EXPECT_EQ(fs::file_size(path("to")), 7u);
    farcall_prep_sendfile(&command_, from, 0, to, 4);
    EXPECT_EQ(go(), -EINVAL) << "a file does not take bytes in sequence";
    farcall_prep_ftruncate(&command_, to, 3);
    EXPECT_EQ(go(), 0);
    EXPECT_EQ(fs::file_size(path("to")), 3u);
    farcall_prep_fallocate(&command_, to, 0, 10000, 0);
    EXPECT_EQ(go(), 0);
    EXPECT_EQ(fs::file_size(path("to")), 10000u);

    // The second handle of the copy from a variable.
    uint32_t variable = 0;
    const int made = farcall_var_alloc(client_.get());
    ASSERT_GE(made, 0);
    variable = static_cast<uint32_t>(made);
    farcall_var_set(client_.get(), variable, to);
    farcall_prep_copy(&command_, from, 2, 0, 10000, 6);
    farcall_region_from(&command_, variable);
    EXPECT_EQ(go(), 6);
    EXPECT_EQ(fs::file_size(path("to")), 10006u);
}

TEST_F(LocalFilesTest, NamesAndLinks) {
    file("file");
    farcall_prep_mkdir(&command_, kShare, buffer_.region(), at(0), put("dir"), 0700);
    ASSERT_EQ(go(), 0);
    EXPECT_EQ(fs::status(path("dir")).permissions(), fs::perms(0700));
    const int opened = open_path(client_, channel_, kShare, "dir", FC_OPEN_READ | FC_OPEN_DIRECTORY);
    ASSERT_GT(opened, 0);
    const auto dir = static_cast<uint32_t>(opened);
    farcall_prep_link(&command_, kShare, dir, buffer_.region(), at(0), put("file", "hard"));
    EXPECT_EQ(go(), 0);
    EXPECT_EQ(fs::hard_link_count(path("dir/hard")), 2u);
    farcall_prep_rename(&command_, dir, kShare, buffer_.region(), at(0), put("hard", "file"),
                        FC_RENAME_NOREPLACE);
    EXPECT_EQ(go(), -EEXIST);
    farcall_prep_rename(&command_, dir, kShare, buffer_.region(), at(0), put("hard", "moved"), 0);
    EXPECT_EQ(go(), 0);
    farcall_prep_symlink(&command_, dir, buffer_.region(), at(0), put("../moved", "soft"));
    EXPECT_EQ(go(), 0);

    auto& output = value<fc_iov>(1024);
    output = {at(2048), buffer_.region(), 4096};
    farcall_prep_readlink(&command_, kShare, buffer_.region(), at(0), put("dir/soft"), at(1024));
    EXPECT_EQ(go(), 8);
    EXPECT_EQ(memcmp(buffer_.data() + 2048, "../moved", 8), 0);
    farcall_prep_statx(&command_, kShare, buffer_.region(), at(0), put("dir/soft"), at(1024), 0);
    EXPECT_EQ(go(), 0);
    EXPECT_TRUE(S_ISREG(value<fc_statx>(2048).stat.mode));
    EXPECT_EQ(value<fc_statx>(2048).stat.links, 2u);
    farcall_prep_statx(&command_, dir, buffer_.region(), 0, 0, at(1024), 0);
    EXPECT_EQ(go(), 0);
    EXPECT_TRUE(S_ISDIR(value<fc_statx>(2048).stat.mode));

    farcall_prep_unlink(&command_, kShare, buffer_.region(), at(0), put("dir"), FC_UNLINK_DIRECTORY);
    EXPECT_EQ(go(), -ENOTEMPTY);
    farcall_prep_unlink(&command_, dir, buffer_.region(), at(0), put("soft"), 0);
    EXPECT_EQ(go(), 0);
    EXPECT_TRUE(fs::is_empty(path("dir")));
}

TEST_F(LocalFilesTest, ListsADirectory) {
    for (const char* name : {"a", "file with a long name", "c"})
        file(name);
    std::set<std::string> names;
    uint64_t cookie = 0;
    int bytes;
    do {
        farcall_prep_getdents(&command_, kShare, cookie, buffer_.region(), at(0), 64);
        bytes = go();
        ASSERT_GE(bytes, 0);
        for (int i = 0; i < bytes; i += value<fc_dirent>(static_cast<uint64_t>(i)).reclen) {
            const auto& entry = value<fc_dirent>(static_cast<uint64_t>(i));
            names.insert(entry.name);
            cookie = static_cast<uint64_t>(entry.next);
            EXPECT_EQ(entry.type, entry.name[0] == '.' ? DT_DIR : DT_REG);
        }
    } while (bytes > 0);
    EXPECT_EQ(names, (std::set<std::string>{".", "..", "a", "c", "file with a long name"}));
}

}  // namespace
}  // namespace farcall::test
