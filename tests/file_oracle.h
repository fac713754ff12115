// SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include <farcall/abi.h>

/// What the ops on files mean, said in direct system calls. Where farcall promises something else than Linux,
/// there is a line that says which rule that is.
namespace farcall::test::oracle {

/// An open file or directory on the direct side, and what its handle on the other may do.
struct Object {
    int fd = -1;  ///< -1: closed
    bool directory = false;
    int share = 0;
    bool writable_tree = true;
};

inline int64_t result(int64_t n) {
    return n < 0 ? -errno : n;
}

inline std::deque<std::string> names_of(const std::string& path) {
    std::deque<std::string> names;
    for (size_t at = 0; at < path.size();) {
        const size_t slash = std::min(path.find('/', at), path.size());
        if (slash > at) names.push_back(path.substr(at, slash - at));
        at = slash + 1;
    }
    return names;
}

inline std::string joined(const std::vector<std::string>& names) {
    std::string path = ".";
    for (const std::string& name : names)
        path += "/" + name;
    return path;
}

/// Does this path, or a link in it, leave `base`? False too when it ends before, with an error of Linux's.
inline bool leads_out(int base, const std::string& path, bool follow_last) {
    if (path.starts_with('/')) return true;
    follow_last |= path.ends_with('/');
    std::deque<std::string> todo = names_of(path);
    std::vector<std::string> here;
    for (int links = 0; !todo.empty();) {
        const std::string name = todo.front();
        todo.pop_front();
        if (name == ".") continue;
        if (name == "..") {
            if (here.empty()) return true;
            here.pop_back();
            continue;
        }
        here.push_back(name);
        struct stat st;
        if (fstatat(base, joined(here).c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) return false;
        if (S_ISLNK(st.st_mode)) {
            if (todo.empty() && !follow_last) return false;
            if (++links > 40) return false;
            char target[4096];
            const ssize_t n = readlinkat(base, joined(here).c_str(), target, sizeof(target));
            if (n <= 0 || target[0] == '/') return true;
            here.pop_back();
            const std::deque<std::string> more = names_of({target, static_cast<size_t>(n)});
            todo.insert(todo.begin(), more.begin(), more.end());
        } else if (!S_ISDIR(st.st_mode) && !todo.empty()) {
            return false;
        }
    }
    return false;
}

/// The part of a path before its last name.
inline std::string parent_of(const std::string& path) {
    const size_t end = path.find_last_not_of('/');
    const size_t slash = end == std::string::npos ? 0 : path.rfind('/', end);
    return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

inline int check_directory(const Object& dir, bool change) {
    if (dir.fd < 0) return -EBADF;
    if (!dir.directory) return -ENOTDIR;
    return change && !dir.writable_tree ? -EROFS : 0;  // rule: a share may be read-only
}

inline int check_path(const std::string& path) {
    if (path.empty()) return -ENOENT;
    if (path.size() >= FC_MAX_PATH) return -ENAMETOOLONG;
    return path.find('\0') != std::string::npos ? -EINVAL : 0;
}

/// Rule: no path leaves its directory.
inline int check_out(const Object& dir, const std::string& path, bool follow_last) {
    return leads_out(dir.fd, path, follow_last) ? -EXDEV : 0;
}

inline int change_one(const Object& dir, const std::string& path) {
    if (int err = check_directory(dir, true)) return err;
    if (int err = check_path(path)) return err;
    return check_out(dir, parent_of(path), true);
}

/// Rule: what is neither file, directory nor link is not opened.
inline bool is_special(int dir, const std::string& path, int flags) {
    struct stat st;
    return fstatat(dir, path.c_str(), &st, flags) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) &&
           !S_ISLNK(st.st_mode);
}

inline int64_t open(const Object& dir, const std::string& path, unsigned flags, unsigned mode) {
    if (int err = check_directory(dir, false)) return err;
    if (mode > 0777) return -EINVAL;  // rule: no set-ID bits
    if (int err = check_path(path)) return err;
    const bool read = flags & FC_OPEN_READ, write = flags & FC_OPEN_WRITE, create = flags & FC_OPEN_CREATE;
    const bool truncate = flags & FC_OPEN_TRUNCATE, exclusive = flags & FC_OPEN_EXCLUSIVE;
    const bool change = write || create || truncate || (flags & FC_OPEN_APPEND);
    // Rule: combinations that Linux leaves undefined are refused.
    if (!read && !write) return -EINVAL;
    if ((flags & FC_OPEN_DIRECTORY) && change) return -EINVAL;
    if ((truncate && !write) || (exclusive && !create)) return -EINVAL;
    if (change && !dir.writable_tree) return -EROFS;
    const bool follow = !(flags & FC_OPEN_NOFOLLOW) && !exclusive;
    // Linux does not look at the last name of "name/" before it refuses to create that.
    const bool unseen = create && path.ends_with('/') && !names_of(path).back().starts_with('.');
    if (int err = check_out(dir, unseen ? parent_of(path) : path, unseen || follow)) return err;
    const int no = follow ? 0 : AT_SYMLINK_NOFOLLOW;
    if (!unseen && !exclusive && is_special(dir.fd, path, no)) return -EPERM;
    struct stat st;
    // Rule: nothing is created through a link.
    if (create && !unseen && !exclusive && fstatat(dir.fd, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(st.st_mode) && fstatat(dir.fd, path.c_str(), &st, no) < 0)
        return -errno;
    int how = read && write ? O_RDWR : write ? O_WRONLY : O_RDONLY;
    how |= (create ? O_CREAT : 0) | (exclusive ? O_EXCL : 0) | (truncate ? O_TRUNC : 0);
    how |= flags & FC_OPEN_APPEND ? O_APPEND : 0;
    how |= flags & FC_OPEN_DIRECTORY ? O_DIRECTORY : 0;
    how |= flags & FC_OPEN_NOFOLLOW ? O_NOFOLLOW : 0;
    return result(openat(dir.fd, path.c_str(), how | O_CLOEXEC, mode));
}

/// READ, WRITE and their vector forms.
inline int64_t move(const Object& file, uint64_t offset, const std::vector<iovec>& pieces, bool write) {
    if (file.fd < 0) return -EBADF;
    if (file.directory) return -EISDIR;  // rule: also when written to
    const int access = fcntl(file.fd, F_GETFL) & O_ACCMODE;
    if (access == (write ? O_RDONLY : O_WRONLY)) return -EBADF;
    if (offset != FC_OFFSET_CURRENT && offset > INT64_MAX) return -EINVAL;
    const auto at = static_cast<off_t>(offset);
    const int count = static_cast<int>(pieces.size());
    return result(write ? pwritev2(file.fd, pieces.data(), count, at, 0)
                        : preadv2(file.fd, pieces.data(), count, at, 0));
}

inline int64_t mkdir(const Object& dir, const std::string& path, uint64_t mode) {
    if (int err = check_directory(dir, true)) return err;
    if (mode > 0777) return -EINVAL;  // rule: no set-ID bits
    if (int err = change_one(dir, path)) return err;
    return result(mkdirat(dir.fd, path.c_str(), static_cast<mode_t>(mode)));
}

inline int64_t unlink(const Object& dir, const std::string& path, unsigned flags) {
    if (flags & ~FC_UNLINK_DIRECTORY) return -EINVAL;
    if (int err = change_one(dir, path)) return err;
    return result(unlinkat(dir.fd, path.c_str(), flags ? AT_REMOVEDIR : 0));
}

inline int64_t symlink(const std::string& target, const Object& dir, const std::string& path) {
    if (int err = check_directory(dir, true)) return err;
    if (int err = check_path(target)) return err;
    if (int err = change_one(dir, path)) return err;
    return result(symlinkat(target.c_str(), dir.fd, path.c_str()));
}

inline int check_two(const Object& from_dir, const std::string& from, const Object& to_dir,
                     const std::string& to) {
    if (int err = check_directory(from_dir, true)) return err;
    if (int err = check_directory(to_dir, true)) return err;
    if (int err = check_path(from)) return err;
    if (int err = check_path(to)) return err;
    return from_dir.share == to_dir.share ? 0 : -EXDEV;  // rule: shares are like file systems
}

inline int64_t rename(const Object& from_dir, const std::string& from, const Object& to_dir,
                      const std::string& to, unsigned flags) {
    if (flags > 2) return -EINVAL;
    if (int err = check_two(from_dir, from, to_dir, to)) return err;
    if (int err = check_out(from_dir, parent_of(from), true)) return err;
    if (check_out(to_dir, parent_of(to), true) != 0) {
        struct stat st;  // the first path comes first
        return fstatat(from_dir.fd, (parent_of(from) + "/.").c_str(), &st, 0) < 0 ? -errno : -EXDEV;
    }
    return result(renameat2(from_dir.fd, from.c_str(), to_dir.fd, to.c_str(), flags));
}

inline int64_t link(const Object& from_dir, const std::string& from, const Object& to_dir,
                    const std::string& to) {
    if (int err = check_two(from_dir, from, to_dir, to)) return err;
    if (int err = check_out(from_dir, from, false)) return err;
    struct stat st;
    if (fstatat(from_dir.fd, from.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) return -EPERM;  // rule: no links to devices
    if (int err = check_out(to_dir, parent_of(to), true)) return err;
    return result(linkat(from_dir.fd, from.c_str(), to_dir.fd, to.c_str(), 0));
}

inline int64_t readlink(const Object& dir, const std::string& path, uint32_t room, std::string* out) {
    if (int err = check_directory(dir, false)) return err;
    if (int err = check_path(path)) return err;
    if (room == 0) return -EINVAL;
    if (int err = check_out(dir, path, false)) return err;
    out->resize(room);
    const int64_t n = result(readlinkat(dir.fd, path.c_str(), out->data(), room));
    out->resize(static_cast<size_t>(std::max<int64_t>(n, 0)));
    return n;
}

inline int64_t stat(const Object& dir, const std::string& path, bool follow, struct stat* out) {
    if (dir.fd < 0) return -EBADF;
    if (path.empty()) return result(fstat(dir.fd, out));
    if (int err = check_directory(dir, false)) return err;
    if (int err = check_path(path)) return err;
    if (int err = check_out(dir, path, follow)) return err;
    return result(fstatat(dir.fd, path.c_str(), out, follow ? 0 : AT_SYMLINK_NOFOLLOW));
}

inline int64_t copy(const Object& in, uint64_t in_offset, const Object& out, uint64_t out_offset,
                    size_t bytes) {
    if (in.fd < 0) return -EBADF;
    if (in.directory) return -EISDIR;
    if ((fcntl(in.fd, F_GETFL) & O_ACCMODE) == O_WRONLY) return -EBADF;
    if (in_offset != FC_OFFSET_CURRENT && in_offset > INT64_MAX) return -EINVAL;
    if (out.fd < 0) return -EBADF;
    if (out.directory) return -EISDIR;
    if ((fcntl(out.fd, F_GETFL) & O_ACCMODE) == O_RDONLY) return -EBADF;
    auto from = static_cast<off64_t>(in_offset), to = static_cast<off64_t>(out_offset);
    if (out_offset != FC_OFFSET_CURRENT && out_offset > INT64_MAX) return -EINVAL;
    if (bytes == 0) return 0;
    size_t moved = 0;
    while (moved < bytes) {
        const ssize_t n = copy_file_range(in.fd, in_offset == FC_OFFSET_CURRENT ? nullptr : &from, out.fd,
                                          out_offset == FC_OFFSET_CURRENT ? nullptr : &to, bytes - moved, 0);
        if (n < 0 && moved == 0) return -errno;
        if (n <= 0) break;
        moved += static_cast<size_t>(n);
    }
    return static_cast<int64_t>(moved);
}

/// All names of an open directory, each with its type, from the start. Returns 0 or -errno.
inline int64_t list(const Object& dir, std::set<std::string>* out) {
    if (int err = check_directory(dir, false)) return err;
    if (lseek(dir.fd, 0, SEEK_SET) < 0) return -errno;
    alignas(8) char buffer[65536];
    for (;;) {
        const ssize_t n = getdents64(dir.fd, buffer, sizeof(buffer));
        if (n <= 0) return result(n);
        for (ssize_t at = 0; at < n;) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
            out->insert(entry->d_name + std::string(" ") + std::to_string(entry->d_type));
            at += entry->d_reclen;
        }
    }
}

}  // namespace farcall::test::oracle
