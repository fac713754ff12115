// SPDX-License-Identifier: MIT
#include "guest-lib/init/mounts.h"

#include <farcall/init.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "guest-lib/init/image.h"
#include "guest-lib/init/system.h"

namespace farcall::init {

namespace {

constexpr const char* kNewRoot = "/farcall/root";
/// Not below the new root: processes never see it.
constexpr const char* kImage = "/farcall/image";

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

void make_directories(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) throw std::runtime_error("can't make " + path + ": " + error.message());
}

void mount_share(const Config& config, const Mount& mount, const std::string& where) {
    const std::string options =
        "share=" + std::to_string(mount.share) + ",uid=" + std::to_string(config.user) +
        ",gid=" + std::to_string(config.group) + ",timeout=" + std::to_string(mount.timeout_ms);
    const unsigned long flags =
        MS_NOSUID | MS_NODEV | (mount.writable ? 0ul : static_cast<unsigned long>(MS_RDONLY));
    if (::mount("farcall", where.c_str(), "farcall", flags, options.c_str()) < 0)
        fail("can't mount share " + std::to_string(mount.share) + " at " + mount.where);
}

/// A directory of the new root is there or can be made: a read-only one must bring it.
void require_directory(const std::string& path) {
    struct stat status {};
    if (::mkdir(path.c_str(), 0755) < 0 && (::stat(path.c_str(), &status) < 0 || !S_ISDIR(status.st_mode)))
        fail("the root file system needs a directory " + path.substr(std::strlen(kNewRoot)));
}

void load_modules(const Config& config) {
    for (const std::string& module : config.modules) {
        errno = -load_module(module.c_str(), "");
        if (errno != 0) fail("can't load " + module);
    }
}

/// Mounts what is in the image; returns the block device that it became.
std::string mount_image(const Config& config) {
    const int file = ::open(kImage, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) fail(std::string("can't make ") + kImage);
    ::close(file);
    mount_share(config, *config.root, kImage);
    const bool writable = config.root->writable;
    std::string device = attach_image(kImage, writable);
    const unsigned long flags =
        MS_NOSUID | MS_NODEV | (writable ? 0ul : static_cast<unsigned long>(MS_RDONLY));
    if (::mount(device.c_str(), kNewRoot, config.image.c_str(), flags, nullptr) == 0) return device;
    // Then ext4 has a journal to replay, and may not.
    const char* why =
        errno == EROFS ? " (it was not unmounted: run e2fsck, or open it for writing once)" : "";
    fail("can't mount the " + config.image + " image" + why);
}

/// Returns the block device that the root lies on, or nothing.
std::string change_root(const Config& config) {
    make_directories(kNewRoot);
    std::string device;
    if (config.image.empty())
        mount_share(config, *config.root, kNewRoot);
    else
        device = mount_image(config);
    const std::string root = kNewRoot;
    for (const char* name : {"/dev", "/proc", "/sys"}) {
        require_directory(root + name);
        if (::mount(name, (root + name).c_str(), nullptr, MS_MOVE, nullptr) < 0)
            fail(std::string("can't move ") + name);
    }
    for (const auto& [name, options] : {std::pair{"/tmp", "mode=1777"}, std::pair{"/run", "mode=0755"}}) {
        require_directory(root + name);
        if (::mount("tmpfs", (root + name).c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
            fail(std::string("can't mount ") + name);
    }
    require_directory(root + FC_INIT_RUN);
    if (::mount(FC_INIT_RUN, (root + FC_INIT_RUN).c_str(), nullptr, MS_BIND, nullptr) < 0)
        fail("can't mount " FC_INIT_RUN);
    // A RAM disk cannot be left by pivot_root(): it stays below, out of sight.
    if (::chdir(kNewRoot) < 0 || ::mount(".", "/", nullptr, MS_MOVE, nullptr) < 0 || ::chroot(".") < 0 ||
        ::chdir("/") < 0)
        fail("can't change the root");
    return device;
}

}  // namespace

std::string mount_shares(const Config& config) {
    load_modules(config);
    std::string device;
    if (config.root) device = change_root(config);
    for (const Mount& mount : config.mounts) {
        make_directories(mount.where);
        mount_share(config, mount, mount.where);
    }
    return device;
}

}  // namespace farcall::init
