// SPDX-License-Identifier: MIT
// SETATTR, STATFS, MKNOD, SEEK: what a file system of the guest needs beyond what programs ask for by
// themselves.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "host-lib/client.h"
#include "host-lib/file_ops.h"
#include "host-lib/operands.h"
#include "host-lib/share.h"

namespace farcall {
namespace {

constexpr int64_t kSecond = 1000000000;

int64_t read_setattr(Client& client, const Operands& operands, fc_setattr* out) {
    const Region* arena = client.regions().arena();
    if (arena == nullptr || operands.offset % alignof(fc_setattr) != 0 ||
        !arena->contains(operands.offset, sizeof(*out)))
        return -EFAULT;
    arena->copy_out(operands.offset, out, sizeof(*out));
    if (out->valid & ~FC_SETATTR_ALL || out->reserved != 0 || out->mode > 07777) return -EINVAL;
    constexpr uint32_t kBothAccess = FC_SETATTR_ATIME | FC_SETATTR_ATIME_NOW;
    constexpr uint32_t kBothChange = FC_SETATTR_MTIME | FC_SETATTR_MTIME_NOW;
    if ((out->valid & kBothAccess) == kBothAccess || (out->valid & kBothChange) == kBothChange)
        return -EINVAL;
    return out->size > INT64_MAX ? -EFBIG : 0;
}

timespec time_of(uint32_t valid, uint32_t set, uint32_t now, int64_t ns) {
    if (valid & now) return {0, UTIME_NOW};
    if (!(valid & set)) return {0, UTIME_OMIT};
    const int64_t rest = ((ns % kSecond) + kSecond) % kSecond;
    return {(ns - rest) / kSecond, rest};
}

/// Nobody becomes another user through a file that a guest made: owners stay, and files get no set-ID bits.
int check_change(int fd, const fc_setattr& wanted) {
    struct stat st;
    if (fstat(fd, &st) < 0) return -errno;
    if (wanted.valid & FC_SETATTR_UID && wanted.uid != st.st_uid) return -EPERM;
    if (wanted.valid & FC_SETATTR_GID && wanted.gid != st.st_gid) return -EPERM;
    if (wanted.valid & FC_SETATTR_MODE) {
        const mode_t harmless = S_ISDIR(st.st_mode) ? S_ISGID | S_ISVTX : S_ISVTX;
        if (wanted.mode & (S_ISUID | S_ISGID | S_ISVTX) & ~harmless) return -EPERM;
        if (S_ISLNK(st.st_mode)) return -EOPNOTSUPP;
    }
    if (wanted.valid & FC_SETATTR_SIZE && !S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    return 0;
}

int64_t set_attributes(const Subject& subject, const fc_setattr& wanted) {
    UniqueFd owned;
    const int fd = open_subject(subject, &owned);
    if (fd < 0) return fd;
    if (int err = check_change(fd, wanted)) return err;
    const std::string name = name_of(fd);
    if (wanted.valid & FC_SETATTR_SIZE)
        if (truncate(name.c_str(), static_cast<off_t>(wanted.size)) < 0) return -errno;
    if (wanted.valid & FC_SETATTR_MODE)
        if (fchmodat(AT_FDCWD, name.c_str(), wanted.mode, 0) < 0) return -errno;
    const timespec times[2] = {
        time_of(wanted.valid, FC_SETATTR_ATIME, FC_SETATTR_ATIME_NOW, wanted.atime_ns),
        time_of(wanted.valid, FC_SETATTR_MTIME, FC_SETATTR_MTIME_NOW, wanted.mtime_ns)};
    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT) return 0;
    return result_of(utimensat(AT_FDCWD, name.c_str(), times, 0));
}

int64_t statfs_file(int fd, std::string& output) {
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0) return -errno;
    fc_statfs out{};
    out.block_size = static_cast<uint64_t>(fs.f_frsize > 0 ? fs.f_frsize : fs.f_bsize);
    out.blocks = fs.f_blocks;
    out.free = fs.f_bfree;
    out.available = fs.f_bavail;
    out.files = fs.f_files;
    out.files_free = fs.f_ffree;
    out.type = static_cast<uint64_t>(fs.f_type);
    out.name_max = static_cast<uint32_t>(fs.f_namelen);
    output.assign(reinterpret_cast<const char*>(&out), sizeof(out));
    return 0;
}

/// By a descriptor of its own: that of the handle keeps its position.
int64_t seek_file(const File& file, off_t offset, int whence, std::string& output) {
    const UniqueFd own(open(name_of(file.fd).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!own) return -errno;
    const off_t found = lseek(own.get(), offset, whence);
    if (found < 0) return -errno;
    const auto out = static_cast<uint64_t>(found);
    output.assign(reinterpret_cast<const char*>(&out), sizeof(out));
    return 0;
}

}  // namespace

int64_t op_setattr(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_STATX_NOFOLLOW) return -EINVAL;
    Subject subject;
    if (int err = read_subject(client, task, operands, true, &subject)) return err;
    fc_setattr wanted;
    if (int64_t err = read_setattr(client, operands, &wanted)) return err;
    // Making a file shorter may take long even in memory, as UNLINK may.
    const bool here = subject.file->in_memory && !(wanted.valid & FC_SETATTR_SIZE);
    auto step = [subject = std::move(subject), wanted](std::string&) {
        return set_attributes(subject, wanted);
    };
    return start_step(client, task, here, std::move(step));
}

int64_t op_statfs(Client& client, Task& task, const Operands& operands) {
    std::shared_ptr<File> file = client.handles().share<File>(operands.handle);
    if (file == nullptr) return -EBADF;
    if (file->fd < 0) return -ENODEV;
    Output output;
    if (int err = memory_output(client, task, operands, sizeof(fc_statfs), &output)) return err;
    const bool here = file->local;
    auto step = [file = std::move(file)](std::string& out) { return statfs_file(file->fd, out); };
    return start_step(client, task, here, std::move(step), output);
}

int64_t op_mknod(Client& client, Task& task, const Operands& operands) {
    std::shared_ptr<File> dir;
    if (int err = find_directory(client, operands.handle, true, &dir)) return err;
    std::string path;
    if (int err = read_path(client, task, operands, &path)) return err;
    if (operands.offset & ~uint64_t{S_IFMT | 0777}) return -EINVAL;
    const auto mode = static_cast<mode_t>(operands.offset);
    // What opens a device of this machine is never made here.
    if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode)) return -EPERM;
    const bool here = dir->in_memory;
    auto step = [dir = std::move(dir), path = std::move(path), mode](std::string&) -> int64_t {
        Place place;
        if (int err = find_place(*dir, path, &place)) return err;
        return result_of(mknodat(place.parent, place.name.c_str(), mode, 0));
    };
    return start_step(client, task, here, std::move(step));
}

int64_t op_seek(Client& client, Task& task, const Operands& operands) {
    const bool data = task.cmd.op_flags == FC_SEEK_DATA;
    if (!data && task.cmd.op_flags != FC_SEEK_HOLE) return -EINVAL;
    std::shared_ptr<File> file = client.handles().share<File>(operands.handle);
    if (file == nullptr) return -EBADF;
    if (file->kind != File::Kind::kRegular || !file->readable) return -EINVAL;
    if (operands.offset > INT64_MAX) return -ENXIO;
    Output output;
    if (int err = memory_output(client, task, operands, sizeof(uint64_t), &output)) return err;
    const auto offset = static_cast<off_t>(operands.offset);
    const bool here = file->in_memory;
    auto step = [file = std::move(file), offset, data](std::string& out) {
        return seek_file(*file, offset, data ? SEEK_DATA : SEEK_HOLE, out);
    };
    return start_step(client, task, here, std::move(step), output);
}

}  // namespace farcall
