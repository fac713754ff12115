// SPDX-License-Identifier: MIT
// STAT, STATX, GETDENTS: what a file is, what a directory holds.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>

#include "host-lib/client.h"
#include "host-lib/file_ops.h"
#include "host-lib/operands.h"
#include "host-lib/share.h"

namespace farcall {
namespace {

constexpr uint32_t kMostDirents = 64 << 10;  ///< bytes of names per command

static_assert(offsetof(dirent64, d_ino) == offsetof(fc_dirent, inode) &&
              offsetof(dirent64, d_off) == offsetof(fc_dirent, next) &&
              offsetof(dirent64, d_reclen) == offsetof(fc_dirent, reclen) &&
              offsetof(dirent64, d_type) == offsetof(fc_dirent, type) &&
              offsetof(dirent64, d_name) == offsetof(fc_dirent, name));

int64_t nanoseconds(const timespec& time) {
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

int64_t nanoseconds(const statx_timestamp& time) {
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

int64_t stat_file(int fd, std::string& output) {
    struct stat st;
    if (fstat(fd, &st) < 0) return -errno;
    fc_stat out{};
    out.size = static_cast<uint64_t>(st.st_size);
    out.inode = st.st_ino;
    out.device = st.st_dev;
    out.mode = st.st_mode;
    out.links = static_cast<uint32_t>(st.st_nlink);
    out.uid = st.st_uid;
    out.gid = st.st_gid;
    out.blocks = static_cast<uint64_t>(st.st_blocks);
    out.block_size = static_cast<uint64_t>(st.st_blksize);
    out.atime_ns = nanoseconds(st.st_atim);
    out.mtime_ns = nanoseconds(st.st_mtim);
    out.ctime_ns = nanoseconds(st.st_ctim);
    output.assign(reinterpret_cast<const char*>(&out), sizeof(out));
    return 0;
}

int64_t statx_file(int fd, std::string& output) {
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &st) <
        0)
        return -errno;
    fc_statx out{};
    out.stat.size = st.stx_size;
    out.stat.inode = st.stx_ino;
    out.stat.device = makedev(st.stx_dev_major, st.stx_dev_minor);
    out.stat.mode = st.stx_mode;
    out.stat.links = st.stx_nlink;
    out.stat.uid = st.stx_uid;
    out.stat.gid = st.stx_gid;
    out.stat.blocks = st.stx_blocks;
    out.stat.block_size = st.stx_blksize;
    out.stat.atime_ns = nanoseconds(st.stx_atime);
    out.stat.mtime_ns = nanoseconds(st.stx_mtime);
    out.stat.ctime_ns = nanoseconds(st.stx_ctime);
    if (st.stx_mask & STATX_BTIME) {
        out.btime_ns = nanoseconds(st.stx_btime);
        out.known |= FC_STATX_BTIME_KNOWN;
    }
    out.attributes = st.stx_attributes;
    out.attributes_mask = st.stx_attributes_mask;
    if (st.stx_mask & STATX_MNT_ID) out.mount_id = st.stx_mnt_id;
    output.assign(reinterpret_cast<const char*>(&out), sizeof(out));
    return 0;
}

/// What a path names, if the kernel has it in memory, else -EAGAIN.
int64_t look_cached(const Subject& subject, std::string& output) {
    UniqueFd found;
    if (int err = find_below(*subject.file, subject.path, subject.follow, &found, true)) return err;
    return statx_file(found.get(), output);
}

/// Attributes that need no device and no server.
bool attributes_here(const File& file) {
    return file.local || file.kind == File::Kind::kStream;
}

/// Names from `cookie` on, or, where it is negative, from the descriptor's position on.
int64_t read_names(int fd, int64_t cookie, uint32_t room, std::string& output) {
    if (cookie >= 0 && lseek(fd, cookie, SEEK_SET) < 0) return -errno;
    output.resize(std::min(room, kMostDirents));
    const ssize_t n = getdents64(fd, output.data(), output.size());
    const int64_t result = result_of(n);
    output.resize(static_cast<size_t>(std::max<int64_t>(result, 0)));
    return result;
}

int64_t names_of_share(const File& dir, int64_t cookie, uint32_t room, std::string& output) {
    UniqueFd own;
    if (int err = reopen_directory(dir, &own)) return err;
    return read_names(own.get(), cookie, room, output);
}

}  // namespace

int64_t op_stat(Client& client, Task& task, const Operands& operands) {
    std::shared_ptr<File> file = client.handles().share<File>(operands.handle);
    if (file == nullptr) return -EBADF;
    if (file->fd < 0) return -ENODEV;
    Output output;
    if (int err = memory_output(client, task, operands, sizeof(fc_stat), &output)) return err;
    const bool here = attributes_here(*file);
    return start_step(
        client, task, here, [file = std::move(file)](std::string& out) { return stat_file(file->fd, out); },
        output);
}

int64_t op_statx(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_STATX_NOFOLLOW) return -EINVAL;
    Subject subject;
    if (int err = read_subject(client, task, operands, false, &subject)) return err;
    Output output;
    if (int err = read_output(client, operands, sizeof(fc_statx), &output)) return err;
    const bool here = subject.path.empty() ? attributes_here(*subject.file) : subject.file->in_memory;
    if (!here && attributes_here(*subject.file)) {
        std::string found;
        const int64_t result = look_cached(subject, found);
        if (result == 0) output.region->copy_in(output.at, found.data(), found.size());
        if (result != -EAGAIN) return result;
    }
    auto step = [subject = std::move(subject)](std::string& out) -> int64_t {
        UniqueFd owned;
        const int fd = open_subject(subject, &owned);
        return fd < 0 ? fd : statx_file(fd, out);
    };
    return start_step(client, task, here, std::move(step), output);
}

int64_t op_getdents(Client& client, Task& task, const Operands& operands) {
    std::shared_ptr<File> dir;
    if (int err = find_directory(client, operands.handle, false, &dir)) return err;
    Output output;
    if (int err = memory_output(client, task, operands, 0, &output)) return err;
    int64_t cookie = -1;
    if (int err = check_offset(*dir, operands.offset, &cookie)) return err;
    // The position of a share's own directory would be that of all clients.
    if (dir->is_share && cookie < 0) return -EINVAL;
    const bool here = dir->in_memory;
    const uint32_t room = operands.length;
    auto step = [dir = std::move(dir), cookie, room](std::string& out) -> int64_t {
        if (dir->is_share) return names_of_share(*dir, cookie, room, out);
        const std::lock_guard lock(dir->position);
        return read_names(dir->fd, cookie, room, out);
    };
    return start_step(client, task, here, std::move(step), output);
}

}  // namespace farcall
