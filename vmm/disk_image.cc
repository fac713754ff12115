// SPDX-License-Identifier: MIT
#include "vmm/disk_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "host-lib/error.h"

namespace farcall::vmm {

namespace {

using namespace std::string_view_literals;

/// Of the guest's block device; what is behind the last whole one it would not see.
constexpr off_t kSectorBytes = 512;
constexpr size_t kShownBytes = 8;

struct Signature {
    size_t offset;
    std::string_view bytes;
    const char* what;
};

/// As mount(2) calls them; ext4's driver does ext2 and ext3, too. ext4 comes last: its number is short, and
/// may stand in erofs' random identifier.
constexpr std::array kRoots = {Signature{0, "hsqs"sv, "squashfs"},
                               Signature{1024, "\xe2\xe1\xf5\xe0"sv, "erofs"},
                               Signature{1024 + 56, "\x53\xef"sv, "ext4"}};

/// What people have instead. Those behind the first sector before the boot sector, whose number is in many
/// of them.
constexpr std::array kOthers = {
    Signature{512, "EFI PART"sv,
              "a disk with a partition table (GPT); an image of the one partition is needed"},
    Signature{32769, "CD001"sv, "an ISO 9660 image"},
    Signature{0x10040, "_BHRfS_M"sv, "a btrfs file system"},
    Signature{1024, "\x10\x20\xf5\xf2"sv, "an f2fs file system"},
    Signature{0, "XFSB"sv, "an XFS file system"},
    Signature{0, "LUKS\xba\xbe"sv, "an encrypted disk (LUKS)"},
    Signature{0, "QFI\xfb"sv, "a qcow2 image; `qemu-img convert -O raw` makes a plain one"},
    Signature{0, "KDMV"sv, "a VMDK image; `qemu-img convert -O raw` makes a plain one"},
    Signature{0, "vhdxfile"sv, "a VHDX image; `qemu-img convert -O raw` makes a plain one"},
    Signature{0, "\x1f\x8b"sv, "compressed (gzip); unpack it first"},
    Signature{0, "\xfd\x37\x7a\x58\x5a"sv, "compressed (xz); unpack it first"},
    Signature{0, "\x28\xb5\x2f\xfd"sv, "compressed (zstd); unpack it first"},
    Signature{0, "BZh"sv, "compressed (bzip2); unpack it first"},
    Signature{0, "\x04\x22\x4d\x18"sv, "compressed (lz4); unpack it first"},
    Signature{257, "ustar"sv, "a tar archive; unpack it into a directory"},
    Signature{0, "070701"sv, "a cpio archive; unpack it into a directory, or see --initrd-base"},
    Signature{0, "PK\x03\x04"sv, "a zip archive"},
    Signature{0,
              "\x7f"
              "ELF"sv,
              "a program"},
    Signature{
        510, "\x55\xaa"sv,
        "a disk with a partition table (MBR) or a boot sector; an image of the one partition is needed"},
};

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool has(std::span<const std::byte> head, const Signature& signature) {
    return signature.offset < head.size() &&
           as_text(head.subspan(signature.offset)).starts_with(signature.bytes);
}

std::string describe_unknown(std::span<const std::byte> head) {
    if (head.empty()) return "an empty file";
    if (std::all_of(head.begin(), head.end(), [](std::byte b) { return b == std::byte{0}; }))
        return "a file that begins with zeros only";
    std::string text = "a file that begins with the bytes";
    for (const std::byte b : head.first(std::min(head.size(), kShownBytes)))
        text += fmt::format(" {:02x}", static_cast<unsigned>(b));
    return text;
}

std::vector<std::byte> read_head(int fd, const std::string& path) {
    std::vector<std::byte> head(kImageHeadBytes);
    size_t done = 0;
    while (done < head.size()) {
        const ssize_t n = ::pread(fd, head.data() + done, head.size() - done, static_cast<off_t>(done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw errno_error(fmt::format("--root: cannot read '{}'", path));
        if (n == 0) break;
        done += static_cast<size_t>(n);
    }
    head.resize(done);
    return head;
}

void lock(int fd, const std::string& path, bool writable) {
    if (::flock(fd, (writable ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) return;
    if (errno != EWOULDBLOCK) throw errno_error(fmt::format("--root: cannot lock '{}'", path));
    throw Error(
        fmt::format("--root: '{}' is in use by another guest or program{}", path,
                    writable ? ": whoever writes to an image needs it alone" : ", which writes to it"));
}

}  // namespace

ImageContent recognise_image(std::span<const std::byte> head) {
    for (const Signature& root : kRoots)
        if (has(head, root)) return {root.what, {}};
    for (const Signature& other : kOthers)
        if (has(head, other)) return {{}, other.what};
    return {{}, describe_unknown(head)};
}

std::vector<std::string> image_modules(const std::string& type) {
    if (type == "squashfs") return {"loop", "squashfs"};
    if (type == "erofs") return {"loop", "libcrc32c", "erofs"};
    return {"loop"};  // ext4 is built in
}

DiskImage open_disk_image(const std::string& path, bool writable) {
    // Not waiting for the other end of a FIFO.
    const int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct stat status {};
    if (::stat(path.c_str(), &status) < 0 || !S_ISREG(status.st_mode))
        throw Error(
            fmt::format("--root: '{}' is neither a directory or image nor host, packed or auto", path));
    DiskImage image;
    image.file.reset(::open(path.c_str(), flags));
    if (!image.file || ::fstat(image.file.get(), &status) < 0)
        throw errno_error(fmt::format("--root: cannot open '{}'{}", path, writable ? " for writing" : ""));
    const ImageContent content = recognise_image(read_head(image.file.get(), path));
    if (content.type.empty())
        throw Error(fmt::format("--root: '{}' has no ext4, squashfs or erofs file system: it is {}", path,
                                content.found));
    if (writable && content.type != "ext4")
        throw Error(fmt::format("--root: '{}' is {}, which cannot be written to", path, content.type));
    if (status.st_size % kSectorBytes != 0)
        throw Error(
            fmt::format("--root: '{}' has {} bytes, which is not a multiple of {}: it was cut off, or "
                        "made without padding",
                        path, status.st_size, kSectorBytes));
    lock(image.file.get(), path, writable);
    image.type = content.type;
    return image;
}

}  // namespace farcall::vmm
