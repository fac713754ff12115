// SPDX-License-Identifier: MIT
// RENAME, UNLINK, MKDIR, SYMLINK, READLINK, LINK: names in directories. A path leads to the directory that
// holds its last name, and the system call gets that directory and the name alone; so there is nothing left
// to follow. What frees the memory of a file may take long even in memory: never on the worker.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "host-lib/client.h"
#include "host-lib/file_ops.h"
#include "host-lib/operands.h"
#include "host-lib/share.h"

namespace farcall {
namespace {

using Dir = std::shared_ptr<File>;

/// The operands of RENAME and LINK: two directories of one share, the second named by `offset`, and a path
/// below each.
struct Pair {
    Dir from_dir, to_dir;
    std::string from, to;
};

int read_pair(Client& client, const Task& task, const Operands& operands, Pair* out) {
    if (int err = find_directory(client, operands.handle, true, &out->from_dir)) return err;
    if (int err = find_directory(client, operands.offset, true, &out->to_dir)) return err;
    if (int err = read_paths(client, task, operands, &out->from, &out->to)) return err;
    return out->from_dir->share == out->to_dir->share ? 0 : -EXDEV;
}

int64_t rename_names(const Pair& pair, unsigned flags) {
    Place from, to;
    if (int err = find_place(*pair.from_dir, pair.from, &from)) return err;
    if (int err = find_place(*pair.to_dir, pair.to, &to)) return err;
    return result_of(renameat2(from.parent, from.name.c_str(), to.parent, to.name.c_str(), flags));
}

/// Links what was found and looked at, by its descriptor: the name is not looked up a second time.
int64_t link_names(const Pair& pair) {
    UniqueFd found;
    if (int err = find_below(*pair.from_dir, pair.from, false, &found)) return err;
    struct stat st;
    if (fstat(found.get(), &st) < 0) return -errno;
    // A directory is for the kernel to refuse.
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) return -EPERM;
    Place to;
    if (int err = find_place(*pair.to_dir, pair.to, &to)) return err;
    return result_of(
        linkat(AT_FDCWD, name_of(found.get()).c_str(), to.parent, to.name.c_str(), AT_SYMLINK_FOLLOW));
}

int64_t read_target(const File& dir, const std::string& path, uint32_t room, std::string& output) {
    UniqueFd found;
    if (int err = find_below(dir, path, false, &found)) return err;
    struct stat st;
    if (fstat(found.get(), &st) < 0) return -errno;
    if (!S_ISLNK(st.st_mode)) return -EINVAL;
    output.resize(std::min<uint32_t>(room, PATH_MAX));
    const ssize_t n = readlinkat(found.get(), "", output.data(), output.size());
    const int64_t result = result_of(n);
    output.resize(static_cast<size_t>(std::max<int64_t>(result, 0)));
    return result;
}

}  // namespace

int64_t op_rename(Client& client, Task& task, const Operands& operands) {
    const unsigned flags = task.cmd.op_flags;
    static_assert(FC_RENAME_NOREPLACE == RENAME_NOREPLACE && FC_RENAME_EXCHANGE == RENAME_EXCHANGE);
    if (flags & ~(FC_RENAME_NOREPLACE | FC_RENAME_EXCHANGE)) return -EINVAL;
    if (flags == (FC_RENAME_NOREPLACE | FC_RENAME_EXCHANGE)) return -EINVAL;
    Pair pair;
    if (int err = read_pair(client, task, operands, &pair)) return err;
    return start_step(client, task, false,
                      [pair = std::move(pair), flags](std::string&) { return rename_names(pair, flags); });
}

int64_t op_unlink(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_UNLINK_DIRECTORY) return -EINVAL;
    Dir dir;
    if (int err = find_directory(client, operands.handle, true, &dir)) return err;
    std::string path;
    if (int err = read_path(client, task, operands, &path)) return err;
    const int flags = task.cmd.op_flags & FC_UNLINK_DIRECTORY ? AT_REMOVEDIR : 0;
    return start_step(client, task, false,
                      [dir = std::move(dir), path = std::move(path), flags](std::string&) -> int64_t {
                          Place place;
                          if (int err = find_place(*dir, path, &place)) return err;
                          return result_of(unlinkat(place.parent, place.name.c_str(), flags));
                      });
}

int64_t op_mkdir(Client& client, Task& task, const Operands& operands) {
    Dir dir;
    if (int err = find_directory(client, operands.handle, true, &dir)) return err;
    if (operands.offset > 0777) return -EINVAL;
    std::string path;
    if (int err = read_path(client, task, operands, &path)) return err;
    const bool here = dir->in_memory;
    const auto mode = static_cast<mode_t>(operands.offset);
    return start_step(client, task, here,
                      [dir = std::move(dir), path = std::move(path), mode](std::string&) -> int64_t {
                          Place place;
                          if (int err = find_place(*dir, path, &place)) return err;
                          return result_of(mkdirat(place.parent, place.name.c_str(), mode));
                      });
}

int64_t op_symlink(Client& client, Task& task, const Operands& operands) {
    Dir dir;
    if (int err = find_directory(client, operands.handle, true, &dir)) return err;
    std::string target, path;
    if (int err = read_paths(client, task, operands, &target, &path)) return err;
    const bool here = dir->in_memory;
    auto step = [dir = std::move(dir), target = std::move(target),
                 path = std::move(path)](std::string&) -> int64_t {
        Place place;
        if (int err = find_place(*dir, path, &place)) return err;
        return result_of(symlinkat(target.c_str(), place.parent, place.name.c_str()));
    };
    return start_step(client, task, here, std::move(step));
}

int64_t op_readlink(Client& client, Task& task, const Operands& operands) {
    Dir dir;
    if (int err = find_directory(client, operands.handle, false, &dir)) return err;
    std::string path;
    if (int err = read_path(client, task, operands, &path)) return err;
    Output output;
    if (int err = read_output(client, operands, 1, &output)) return err;
    const bool here = dir->in_memory;
    const uint32_t room = output.bytes;
    auto step = [dir = std::move(dir), path = std::move(path), room](std::string& out) {
        return read_target(*dir, path, room, out);
    };
    return start_step(client, task, here, std::move(step), output);
}

int64_t op_link(Client& client, Task& task, const Operands& operands) {
    Pair pair;
    if (int err = read_pair(client, task, operands, &pair)) return err;
    const bool here = pair.from_dir->in_memory;
    return start_step(client, task, here,
                      [pair = std::move(pair)](std::string&) { return link_names(pair); });
}

}  // namespace farcall
