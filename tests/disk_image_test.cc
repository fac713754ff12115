// SPDX-License-Identifier: MIT
// A disk image as --root: what is recognised, what is refused with which words, who may have it at a time,
// and what the guest is told.
#include "vmm/disk_image.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/error_sentence.h"
#include "tests/test_client.h"
#include "vmm/guest_image.h"
#include "vmm/share_option.h"

namespace farcall::test {
namespace {

using namespace vmm;
using namespace std::string_view_literals;
using testing::HasSubstr;

struct Magic {
    size_t offset;
    std::string_view bytes;
    const char* type;
};

constexpr Magic kMagic[] = {
    {0, "hsqs"sv, "squashfs"}, {1024, "\xe2\xe1\xf5\xe0"sv, "erofs"}, {1080, "\x53\xef"sv, "ext4"}};

std::string with(std::string text, size_t offset, std::string_view bytes) {
    text.replace(offset, bytes.size(), bytes);
    return text;
}

std::string image_with(const Magic& magic, size_t size = 8192) {
    return with(std::string(size, '\0'), magic.offset, magic.bytes);
}

ImageContent recognise(std::string_view text) {
    return recognise_image(std::as_bytes(std::span(text)));
}

TEST(DiskImage, FileSystemsByTheirMagic) {
    for (const Magic& magic : kMagic) {
        EXPECT_EQ(recognise(image_with(magic)).type, magic.type);
        // Whatever else is in it, also all that a magic number announces.
        EXPECT_EQ(recognise(with(std::string(8192, '\xff'), magic.offset, magic.bytes)).type, magic.type);
    }
    EXPECT_EQ(recognise(with(image_with(kMagic[2]), 510, "\x55\xaa"sv)).type, "ext4")
        << "a boot sector before it";
    EXPECT_EQ(recognise(with(image_with(kMagic[1]), 1080, "\x53\xef"sv)).type, "erofs")
        << "in its identifier";
}

// As short as a file can be, at each place.
TEST(DiskImage, CutOffAnywhere) {
    for (const Magic& magic : kMagic) {
        const std::string whole = image_with(magic);
        const size_t needed = magic.offset + magic.bytes.size();
        for (size_t bytes = 0; bytes <= needed; bytes++) {
            const ImageContent content = recognise(std::string_view(whole).substr(0, bytes));
            EXPECT_EQ(content.type, bytes < needed ? "" : magic.type) << bytes;
            EXPECT_EQ(content.found.empty(), bytes == needed) << bytes;
        }
    }
}

TEST(DiskImage, SaysWhatElseItFound) {
    const std::string zeros(kImageHeadBytes, '\0');
    const auto found = [&](size_t offset, std::string_view bytes) {
        const ImageContent content = recognise(with(zeros, offset, bytes));
        EXPECT_EQ(content.type, "");
        return content.found;
    };
    EXPECT_THAT(found(510, "\x55\xaa"sv), HasSubstr("MBR"));
    EXPECT_THAT(recognise(with(with(zeros, 510, "\x55\xaa"sv), 512, "EFI PART"sv)).found, HasSubstr("GPT"));
    EXPECT_THAT(found(0, "QFI\xfb"sv), HasSubstr("qcow2"));
    EXPECT_THAT(found(257, "ustar"sv), HasSubstr("tar"));
    EXPECT_THAT(found(0, "\x1f\x8b\x08"sv), HasSubstr("gzip"));
    EXPECT_THAT(found(0, "\x28\xb5\x2f\xfd"sv), HasSubstr("zstd"));
    EXPECT_THAT(found(0x10040, "_BHRfS_M"sv), HasSubstr("btrfs"));
    EXPECT_EQ(recognise("").found, "an empty file");
    EXPECT_THAT(recognise(zeros).found, HasSubstr("zeros"));
    EXPECT_THAT(recognise("\x01\x80").found, HasSubstr("bytes 01 80"));
}

class DiskImageFile : public testing::Test {
  protected:
    std::string write(const std::string& content, const char* name = "image") {
        dir_.write(name, content);
        return dir_.path() / name;
    }
    static std::string refusal(const std::string& path, bool writable = false) {
        return sentence([&] { open_disk_image(path, writable); });
    }
    TempDir dir_;
};

TEST_F(DiskImageFile, Refusals) {
    for (const std::string& content :
         {std::string(), std::string(4096, '\0'), with(std::string(4096, 'x'), 0, "QFI\xfb"sv)}) {
        const std::string path = write(content);
        EXPECT_THAT(refusal(path), testing::AllOf(HasSubstr(path), HasSubstr("no ext4, squashfs or erofs")));
    }
    EXPECT_THAT(refusal(write(image_with(kMagic[2], 8191))), HasSubstr("8191 bytes"));
    for (const Magic& magic : {kMagic[0], kMagic[1]}) {
        const std::string path = write(image_with(magic));
        EXPECT_THAT(refusal(path, true), HasSubstr("cannot be written to")) << magic.type;
        EXPECT_EQ(open_disk_image(path, false).type, magic.type);
    }
    EXPECT_THAT(refusal(dir_.path() / "none"), HasSubstr("neither a directory or image"));
    ASSERT_EQ(mkfifo((dir_.path() / "fifo").c_str(), 0600), 0);
    EXPECT_THAT(refusal(dir_.path() / "fifo"), HasSubstr("neither a directory or image"));
}

TEST_F(DiskImageFile, AWriterIsAlone) {
    const std::string path = write(image_with(kMagic[2]));
    {
        const DiskImage writer = open_disk_image(path, true);
        EXPECT_EQ(fcntl(writer.file.get(), F_GETFL) & O_ACCMODE, O_RDWR);
        EXPECT_THAT(refusal(path, true), testing::AllOf(HasSubstr(path), HasSubstr("in use")));
        EXPECT_THAT(refusal(path), HasSubstr("in use"));
    }
    const DiskImage one = open_disk_image(path, false), two = open_disk_image(path, false);
    EXPECT_EQ(fcntl(one.file.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_THAT(refusal(path, true), HasSubstr("in use"));
}

TEST_F(DiskImageFile, AsARoot) {
    const std::string path = write(image_with(kMagic[2]));
    const SharePlan plan = plan_shares({"/a"}, path + ":rw", false);
    ASSERT_TRUE(plan.tree.root);
    EXPECT_EQ(plan.tree.root->share, 1u);
    EXPECT_TRUE(plan.tree.root->writable);
    EXPECT_EQ(plan.tree.root_image, "ext4");
    EXPECT_EQ(plan.tree.root_directory, "");
    EXPECT_EQ(plan.shares[1].file, plan.image.get());
    EXPECT_TRUE(plan.shares[1].writable);
    EXPECT_THAT(sentence([&] { plan_shares({}, path, false); }), HasSubstr("in use"));
}

/// What make_guest_image() packs for such a root, as it lies in memory.
std::string packed(const GuestFiles& files, const std::string& type) {
    GuestCommand command;
    command.arguments = {"program-of-the-image"};
    command.tree.root = GuestMount{0, false, "/"};
    command.tree.root_image = type;
    const Initramfs image = make_guest_image(files, command);
    std::string bytes(image.bytes(), '?');
    image.write(std::as_writable_bytes(std::span(bytes)));
    return bytes;
}

TEST_F(DiskImageFile, TheGuestGetsWhatItNeeds) {
    GuestFiles files;
    files.name = "6.12";
    files.init = write("init", "init");
    files.module = write("the offload module", "farcall.ko");
    files.modules = dir_.path();
    EXPECT_THAT(sentence([&] { packed(files, "ext4"); }),
                testing::AllOf(HasSubstr("loop.ko"), HasSubstr("6.12"), HasSubstr("prepare-guest")));
    write("the loop driver", "loop.ko");
    const std::string ext4 = packed(files, "ext4");
    for (const char* text :
         {"the loop driver", "\nmodule /farcall/modules/loop.ko\nroot 0:ro,timeout=0\nimage ext4\n",
          "arg program-of-the-image\n"})
        EXPECT_THAT(ext4, HasSubstr(text));
    EXPECT_THAT(sentence([&] { packed(files, "erofs"); }), HasSubstr("libcrc32c.ko"));
    write("sums", "libcrc32c.ko");
    write("the file system", "erofs.ko");
    const std::string erofs = packed(files, "erofs");
    EXPECT_LT(erofs.find("\nmodule /farcall/modules/libcrc32c.ko\n"),
              erofs.find("\nmodule /farcall/modules/erofs.ko\n"))
        << "in the order of their needs";
    EXPECT_THAT(erofs, Not(HasSubstr("squashfs.ko")));
    files.modules.clear();
    EXPECT_THAT(sentence([&] { packed(files, "ext4"); }), HasSubstr("loop.ko"));
}

}  // namespace
}  // namespace farcall::test
