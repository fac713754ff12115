// SPDX-License-Identifier: MIT
#include "host-lib/share.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <cerrno>

#include "host-lib/error.h"

namespace farcall {
namespace {

constexpr uint64_t kResolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr int kCreateRetries = 8;
constexpr int kRaceRetries = 64;
constexpr long kXfsMagic = 0x58465342;

int openat2(int dir, const char* path, int flags, uint32_t mode, bool cached = false) {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
    how.mode = mode;
    how.resolve = kResolve | (cached ? RESOLVE_CACHED : 0);
    // -EAGAIN: something was renamed or mounted somewhere while a ".." was looked up, so the kernel cannot
    // say whether it led out.
    long fd = -1;
    for (int i = 0; i < (cached ? 1 : kRaceRetries); i++) {
        fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN) break;
    }
    if (fd >= 0) return static_cast<int>(fd);
    return cached && errno == EINVAL ? -EAGAIN : -errno;  // a kernel that does not know RESOLVE_CACHED
}

int access_flags(uint32_t flags) {
    const bool read = flags & FC_OPEN_READ;
    const bool write = flags & FC_OPEN_WRITE;
    int result = read && write ? O_RDWR : write ? O_WRONLY : O_RDONLY;
    if (flags & FC_OPEN_TRUNCATE) result |= O_TRUNC;
    if (flags & FC_OPEN_APPEND) result |= O_APPEND;
    if (flags & FC_OPEN_DIRECTORY) result |= O_DIRECTORY;
    return result;
}

int check_flags(const File& dir, uint32_t flags) {
    if (flags & ~FC_OPEN_ALL) return -EINVAL;
    if (!(flags & (FC_OPEN_READ | FC_OPEN_WRITE))) return -EINVAL;
    const uint32_t changes = FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE | FC_OPEN_APPEND;
    if ((flags & FC_OPEN_DIRECTORY) && (flags & changes)) return -EINVAL;
    if ((flags & FC_OPEN_TRUNCATE) && !(flags & FC_OPEN_WRITE)) return -EINVAL;
    if ((flags & FC_OPEN_EXCLUSIVE) && !(flags & FC_OPEN_CREATE)) return -EINVAL;
    if ((flags & changes) && !dir.writable_tree) return -EROFS;
    return 0;
}

// The inode behind an O_PATH descriptor, opened for real: the name is not looked up a second time.
int reopen(int path_fd, int flags) {
    const int fd = open(name_of(path_fd).c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

// First an O_PATH descriptor, which has no side effects; only when its type is harmless the real open.
int open_existing(const File& dir, const std::string& path, uint32_t flags, bool cached) {
    if (dir.kind == File::Kind::kRegular) return path == "." ? reopen(dir.fd, access_flags(flags)) : -ENOTDIR;
    const int how = O_PATH | (flags & FC_OPEN_NOFOLLOW ? O_NOFOLLOW : 0);
    UniqueFd probe(openat2(dir.fd, path.c_str(), how, 0, cached));
    if (!probe) return probe.release();
    struct stat st;
    if (fstat(probe.get(), &st) < 0) return -errno;
    if (S_ISLNK(st.st_mode)) return flags & FC_OPEN_DIRECTORY ? -ENOTDIR : -ELOOP;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) return -EPERM;
    if (S_ISDIR(st.st_mode) && (flags & FC_OPEN_CREATE)) return -EISDIR;
    return reopen(probe.get(), access_flags(flags));
}

bool is_link(const File& dir, const std::string& path) {
    UniqueFd fd(openat2(dir.fd, path.c_str(), O_PATH | O_NOFOLLOW, 0));
    struct stat st;
    return fd && fstat(fd.get(), &st) == 0 && S_ISLNK(st.st_mode);
}

int open_or_create(const File& dir, const std::string& path, uint32_t flags, uint32_t mode) {
    if (!(flags & FC_OPEN_CREATE)) return open_existing(dir, path, flags, false);
    for (int i = 0; i < kCreateRetries; i++) {
        const int fd = openat2(dir.fd, path.c_str(), access_flags(flags) | O_CREAT | O_EXCL, mode & 0777);
        if (fd != -EEXIST || (flags & FC_OPEN_EXCLUSIVE)) return fd;
        const int existing = open_existing(dir, path, flags, false);
        // A link to nothing: what it names is not created, as O_EXCL would not reach that far. Else the name
        // was removed in between: create it after all.
        if (existing != -ENOENT || is_link(dir, path)) return existing;
    }
    return -EAGAIN;
}

void classify(File& file) {
    struct statfs fs;
    if (fstatfs(file.fd, &fs) < 0) return;
    switch (static_cast<long>(fs.f_type)) {
        case TMPFS_MAGIC:
        case RAMFS_MAGIC:
            file.in_memory = true;
            file.local = true;
            break;
        case EXT4_SUPER_MAGIC:
        case BTRFS_SUPER_MAGIC:
        case kXfsMagic:
            file.local = true;
            break;
        default:
            break;
    }
}

int make_file(const File& dir, UniqueFd fd, uint32_t flags, std::shared_ptr<File>* out) {
    auto file = std::make_shared<File>();
    file->owned = std::move(fd);
    file->fd = file->owned.get();
    struct stat st;
    if (fstat(file->fd, &st) < 0) return -errno;
    const bool directory = S_ISDIR(st.st_mode);
    if (!directory && !S_ISREG(st.st_mode)) return -EPERM;
    file->kind = directory ? File::Kind::kDirectory : File::Kind::kRegular;
    file->readable = flags & FC_OPEN_READ;
    file->writable = flags & FC_OPEN_WRITE;
    file->writable_tree = dir.writable_tree;
    file->share = dir.share;
    file->in_memory = dir.in_memory;  // no path leads to another file system
    file->local = dir.local;
    *out = std::move(file);
    return 0;
}

}  // namespace

std::shared_ptr<File> open_share(const ShareConfig& config, int index) {
    auto file = std::make_shared<File>();
    if (config.file >= 0) {
        // Its own handle is for opening it: a descriptor for each reader, with a state of its own.
        file->fd = config.file;
        file->kind = File::Kind::kRegular;
    } else {
        file->owned.reset(open(config.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!file->owned) throw errno_error("cannot share directory " + config.path);
        file->fd = file->owned.get();
        file->kind = File::Kind::kDirectory;
        file->readable = true;
    }
    file->writable_tree = config.writable;
    file->share = index;
    file->is_share = true;
    classify(*file);
    return file;
}

int open_below(const File& dir, const std::string& path, uint32_t flags, uint32_t mode,
               std::shared_ptr<File>* out) {
    if (int err = check_flags(dir, flags)) return err;
    UniqueFd fd(open_or_create(dir, path, flags, mode));
    return fd ? make_file(dir, std::move(fd), flags, out) : fd.release();
}

int open_cached(const File& dir, const std::string& path, uint32_t flags, std::shared_ptr<File>* out) {
    if (int err = check_flags(dir, flags)) return err;
    UniqueFd fd(open_existing(dir, path, flags, true));
    return fd ? make_file(dir, std::move(fd), flags, out) : fd.release();
}

int find_below(const File& dir, const std::string& path, bool follow, UniqueFd* out, bool cached) {
    const int fd = openat2(dir.fd, path.c_str(), O_PATH | (follow ? 0 : O_NOFOLLOW), 0, cached);
    if (fd < 0) return fd;
    out->reset(fd);
    return 0;
}

int find_place(const File& dir, const std::string& path, Place* out) {
    if (path.empty()) return -ENOENT;
    if (path.front() == '/') return -EXDEV;
    const size_t end = path.find_last_not_of('/');
    const size_t slash = path.rfind('/', end);
    out->parent = dir.fd;
    out->name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (slash == std::string::npos) return 0;
    const int fd = openat2(dir.fd, path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY, 0);
    if (fd < 0) return fd;
    out->owned.reset(fd);
    out->parent = fd;
    return 0;
}

int reopen_directory(const File& dir, UniqueFd* out) {
    const int fd = openat2(dir.fd, ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return fd;
    out->reset(fd);
    return 0;
}

}  // namespace farcall
