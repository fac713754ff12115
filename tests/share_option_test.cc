// SPDX-License-Identifier: MIT
// --share and --root: what the guest sees of this machine's directories, and where.
#include "vmm/share_option.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/error_sentence.h"
#include "tests/test_client.h"
#include "vmm/host_root.h"

namespace farcall::test {
namespace {

using namespace vmm;
using testing::HasSubstr;

TEST(ShareOption, Forms) {
    const auto expect = [](const std::string& text, const std::string& path, bool writable,
                           const std::string& where) {
        const ShareOption option = parse_share(text);
        EXPECT_EQ(option.share.path, path) << text;
        EXPECT_EQ(option.share.writable, writable) << text;
        EXPECT_EQ(option.where, where) << text;
    };
    expect("data", "data", false, "");
    expect("data:rw", "data", true, "");
    expect("/a/b:/mnt", "/a/b", false, "/mnt");
    expect("/a/b:/mnt/:rw", "/a/b", true, "/mnt");
    expect(".:/a/./b:ro", ".", false, "/a/b");
    expect("with:colon", "with:colon", false, "");
    for (const char* text : {"", ":rw", ":/mnt"})
        EXPECT_THAT(sentence([&] { parse_share(text); }), HasSubstr("names no directory")) << text;
    for (const char* text : {"/a:/", "/a:/proc", "/a:/x/../dev:rw"})
        EXPECT_THAT(sentence([&] { parse_share(text); }), HasSubstr(text)) << text;
}

TEST(ShareOption, MountsInOrder) {
    const SharePlan plan = plan_shares({"/a:/mnt/deep", "/b", "/c:/mnt:rw"}, "packed", false);
    ASSERT_EQ(plan.shares.size(), 3u);
    EXPECT_EQ(plan.shares[1].path, "/b");
    ASSERT_EQ(plan.tree.mounts.size(), 2u);
    EXPECT_EQ(plan.tree.mounts[0].where, "/mnt");
    EXPECT_EQ(plan.tree.mounts[0].share, 2u);
    EXPECT_TRUE(plan.tree.mounts[0].writable);
    EXPECT_EQ(plan.tree.mounts[1].where, "/mnt/deep");
    EXPECT_EQ(plan.tree.mounts[1].share, 0u);
    EXPECT_FALSE(plan.tree.host_root);
    EXPECT_THAT(sentence([] { plan_shares({"/a:/mnt", "/b:/mnt/"}, "packed", false); }), HasSubstr("/mnt"));
}

TEST(ShareOption, Roots) {
    const SharePlan host = plan_shares({"/a:/usr/local"}, "host", false);
    EXPECT_TRUE(host.tree.host_root);
    ASSERT_EQ(host.shares.size(), 2u);
    EXPECT_EQ(host.shares[1].path, "/usr");
    EXPECT_FALSE(host.shares[1].writable);
    EXPECT_EQ(host.tree.mounts[0].where, "/usr") << "before what lies in it";
    EXPECT_EQ(plan_shares({}, "auto", false).tree.host_root, has_merged_usr());
    EXPECT_FALSE(plan_shares({}, "auto", true).tree.host_root);
    const SharePlan own = plan_shares({"/a"}, "/tmp:rw", false);
    ASSERT_TRUE(own.tree.root);
    EXPECT_EQ(own.tree.root->share, 1u);
    EXPECT_TRUE(own.tree.root->writable);
    EXPECT_EQ(own.tree.root_directory, "/tmp");
    EXPECT_THAT(sentence([] { plan_shares({}, "/no/such", false); }), HasSubstr("'/no/such'"));
    const std::vector<std::string> many(FC_MAX_SHARES, "/a");
    EXPECT_FALSE(plan_shares(many, "auto", false).tree.host_root) << "no share is left";
    EXPECT_THAT(sentence([&] { plan_shares(many, "host", false); }), HasSubstr("at most 16"));
}

// What only some users of this machine may read does not get into a guest.
TEST(HostRoot, PublicFilesOnly) {
    Initramfs image;
    add_host_configuration(image);
    EXPECT_TRUE(image.contains("/etc/passwd"));
    EXPECT_TRUE(image.contains("/var/tmp"));
    for (const char* secret : {"/etc/shadow", "/etc/gshadow", "/etc/ssl/private", "/etc/sudoers"}) {
        struct stat status {};
        if (stat(secret, &status) == 0 && (status.st_mode & 04) == 0) {
            EXPECT_FALSE(image.contains(secret)) << secret;
        }
    }
    std::vector<std::byte> archive(image.bytes());
    image.write(archive);
}

TEST(HostRoot, UsersOfBoth) {
    const TempDir dir;
    dir.write("passwd",
              "root:x:0:0::/root:/bin/bash\nuser:x:7:7:::\ndaemon:x:1:1:::\nsame:x:1000:1:::\nbroken\n\n");
    EXPECT_EQ(other_entries(dir.path() / "passwd", "root:x:0:0:::\nuser:x:1000:1000:::\n"),
              "daemon:x:1:1:::\n");
    EXPECT_EQ(other_entries("/no/such", ""), "");
}

TEST(HostRoot, ProgramsOfADirectory) {
    const TempDir dir;
    std::filesystem::create_directories(dir.path() / "usr/bin");
    dir.write("usr/bin/tool", "x");
    dir.write("usr/bin/text", "x");
    std::filesystem::permissions(dir.path() / "usr/bin/tool", std::filesystem::perms(0755));
    std::filesystem::create_symlink("/etc/alternatives/vi", dir.path() / "usr/bin/vi");
    const std::string path = "/bin:/usr/bin";
    EXPECT_EQ(find_below(dir.path(), "tool", path), "/usr/bin/tool");
    EXPECT_EQ(find_below(dir.path(), "/usr/bin/tool", path), "/usr/bin/tool");
    EXPECT_EQ(find_below(dir.path(), "vi", path), "/usr/bin/vi");
    for (const char* name : {"text", "missing", "/bin/tool"})
        EXPECT_THAT(sentence([&] { find_below(dir.path(), name, path); }), HasSubstr(name));
}

}  // namespace
}  // namespace farcall::test
