// SPDX-License-Identifier: MIT
// Random sequences of file ops, one by one through farcall on one tree and by direct system calls on its
// twin: every result is the same, and so are the trees at the end.
#include "tests/file_twins.h"

namespace farcall::test {
namespace {

namespace fs = std::filesystem;

constexpr int kSteps = 5000;
constexpr auto kMostTime = std::chrono::seconds(5);  // on a machine that has other things to do

class Ops : public Twins {
  public:
    using Twins::Twins;

    /// One op on both sides; false when they differ. `what` says which op it was.
    bool step(std::string* what) {
        text_.str("");
        const bool same = any_op();
        *what = text_.str();
        return same;
    }

  private:
    bool any_op() {
        const uint64_t op = below(100);
        if (op < 14) return open_op();
        if (op < 18) return close_op();
        if (op < 34) return move_op();
        if (op < 40) return copy_op();
        if (op < 48) return resize_op();
        if (op < 58) return mkdir_op();
        if (op < 67) return unlink_op();
        if (op < 73) return symlink_op();
        if (op < 82) return two_op(true);
        if (op < 88) return two_op(false);
        if (op < 92) return readlink_op();
        if (op < 97) return stat_op();
        return list_op();
    }

    bool open_op() {
        const Pair dir = any(true);
        const std::string p = chance(60) ? path(dir.direct) : new_path(dir.direct);
        unsigned flags = one_of<unsigned>({1, 1, 2, 3, 3, 3});
        for (const unsigned flag : {FC_OPEN_EXCLUSIVE, FC_OPEN_TRUNCATE, FC_OPEN_APPEND, FC_OPEN_NOFOLLOW})
            if (chance(10)) flags |= flag;
        if (chance(70)) flags |= FC_OPEN_CREATE;
        if (chance(25)) flags = FC_OPEN_READ | FC_OPEN_DIRECTORY | (chance(20) ? FC_OPEN_NOFOLLOW : 0);
        const unsigned mode = chance(2) ? 04755 : static_cast<unsigned>(below(01000));
        text_ << "open " << dir.handle << ' ' << p << " flags " << flags << " mode " << mode;
        const int handle = files_->open(dir.handle, p, flags, mode);
        const int64_t fd = oracle::open(dir.direct, p, flags, mode);
        if (handle < 0 || fd < 0) return same(handle, fd);
        successes++;
        struct stat st;
        fstat(static_cast<int>(fd), &st);
        Pair pair{static_cast<uint32_t>(handle), dir.direct};
        pair.direct.fd = static_cast<int>(fd);
        pair.direct.directory = S_ISDIR(st.st_mode);
        if (pairs_.size() < 24) {
            pairs_.push_back(pair);
            return true;
        }
        Pair& old = pairs_[3 + below(pairs_.size() - 3)];
        if (old.direct.fd >= 0) {
            close(old.direct.fd);
            files_->close(old.handle);
        }
        old = pair;
        return true;
    }
    bool close_op() {
        Pair& pair = pairs_[below(pairs_.size())];
        text_ << "close " << pair.handle;
        const int result = files_->close(pair.handle);
        if (pair.handle < FC_FIRST_HANDLE) return result == -EPERM;
        const int fd = std::exchange(pair.direct.fd, -1);
        return same(result, fd < 0 ? -EBADF : close(fd));
    }

    bool move_op() {
        const Pair file = any(false);
        const uint64_t at = offset();
        const bool write = chance(50), vector = chance(50);
        std::vector<fc_iov> iovs;
        std::vector<iovec> pieces;
        uint32_t used = 0;
        for (uint64_t i = vector ? below(6) : 1; i > 0; i--) {
            const uint32_t n = chance(10) ? 0 : bytes() / (vector ? 5 : 1);
            iovs.push_back({FileClient::kData + used, 0, n});
            used += n + static_cast<uint32_t>(below(20));
        }
        static std::string mine;
        mine.assign(used, '\0');
        for (uint32_t i = 0; i < used; i++)
            mine[i] = byte();
        memcpy(files_->data(), mine.data(), used);
        for (const fc_iov& iov : iovs)
            pieces.push_back({mine.data() + (iov.buffer - FileClient::kData), iov.length});
        text_ << (write ? "write " : "read ") << file.handle << " at " << at << " pieces " << iovs.size()
              << " bytes " << used << (vector ? " vector" : "");
        const uint8_t op = vector ? (write ? FC_OP_WRITEV : FC_OP_READV) : (write ? FC_OP_WRITE : FC_OP_READ);
        const fc_command c = vector
                                 ? files_->vector_command(op, file.handle, at, iovs)
                                 : transfer(op, 1, file.handle, at, FileClient::kData, iovs.front().length);
        const int result = files_->run(c);
        if (!same(result, oracle::move(file.direct, at, pieces, write))) return false;
        text_ << " but other data";
        return files_->text(used) == mine;
    }
    bool copy_op() {
        const Pair in = any(false), out = any(false);
        const uint64_t from = offset(), to = offset();
        const uint32_t n = bytes();
        text_ << "copy " << in.handle << " at " << from << " to " << out.handle << " at " << to << " bytes "
              << n;
        return same(files_->copy(in.handle, from, out.handle, to, n),
                    oracle::copy(in.direct, from, out.direct, to, n));
    }
    bool resize_op() {
        const Pair file = any(false);
        const int fd = file.direct.fd;
        uint64_t at = offset();
        if (chance(50)) {
            text_ << "ftruncate " << file.handle << ' ' << at;
            return same(files_->ftruncate(file.handle, at),
                        fd < 0 ? -EBADF : oracle::result(ftruncate(fd, static_cast<off_t>(at))));
        }
        const uint64_t n = chance(5) ? one_of<uint64_t>({0, INT64_MAX, 1ull << 63}) : bytes();
        const auto mode = one_of<unsigned>({0, 1, 2, 3, 0x10, 0x11, 0x13, 8});
        if (at > kMostBytes && at <= INT64_MAX) at = 0;  // would fill the disk
        text_ << "fallocate " << file.handle << " mode " << mode << ' ' << at << " bytes " << n;
        const auto direct = [&]() -> int64_t {
            if (mode & ~0x13u) return -EINVAL;  // rule: the other modes are not offered
            if (fd < 0) return -EBADF;
            return oracle::result(
                fallocate(fd, static_cast<int>(mode), static_cast<off_t>(at), static_cast<off_t>(n)));
        };
        return same(files_->fallocate(file.handle, mode, at, n), direct());
    }

    bool mkdir_op() {
        const Pair dir = any(true);
        const std::string p = new_path(dir.direct);
        const uint64_t mode = chance(3) ? 01777 : 0700 | below(0100);
        text_ << "mkdir " << dir.handle << ' ' << p << " mode " << mode;
        return same(files_->mkdir(dir.handle, p, mode), oracle::mkdir(dir.direct, p, mode));
    }
    bool unlink_op() {
        const Pair dir = any(true);
        const std::string p = path(dir.direct);
        const unsigned flags = chance(3) ? 2 : chance(40) ? FC_UNLINK_DIRECTORY : 0;
        text_ << "unlink " << dir.handle << ' ' << p << " flags " << flags;
        return same(files_->unlink(dir.handle, p, flags), oracle::unlink(dir.direct, p, flags));
    }
    bool symlink_op() {
        const Pair dir = any(true);
        const std::string target = chance(5) ? std::string(4095, 't') : any_path(), p = new_path(dir.direct);
        if ((target + p).find('\0') != std::string::npos) return true;
        text_ << "symlink " << target << ' ' << dir.handle << ' ' << p;
        return same(files_->symlink(target, dir.handle, p), oracle::symlink(target, dir.direct, p));
    }
    bool two_op(bool rename) {
        const Pair from_dir = any(true), to_dir = chance(60) ? from_dir : any(true);
        const std::string from = path(from_dir.direct),
                          to = chance(30) ? path(to_dir.direct) : new_path(to_dir.direct);
        const auto flags = one_of<unsigned>({0, 0, 0, 1, 2, 3, 4});
        if ((from + to).find('\0') != std::string::npos) return true;
        text_ << (rename ? "rename " : "link ") << from_dir.handle << ' ' << from << ' ' << to_dir.handle
              << ' ' << to << " flags " << flags;
        if (rename)
            return same(files_->rename(from_dir.handle, from, to_dir.handle, to, flags),
                        oracle::rename(from_dir.direct, from, to_dir.direct, to, flags));
        return same(files_->link(from_dir.handle, from, to_dir.handle, to),
                    oracle::link(from_dir.direct, from, to_dir.direct, to));
    }
    bool readlink_op() {
        const Pair dir = any(true);
        const std::string p = path(dir.direct);
        const uint32_t room = one_of<uint32_t>({0, 3, 100, 5000});
        std::string here, there;
        text_ << "readlink " << dir.handle << ' ' << p << " room " << room;
        return same(files_->readlink(dir.handle, p, room, &here),
                    oracle::readlink(dir.direct, p, room, &there)) &&
               here == there;
    }
    bool stat_op() {
        const Pair dir = any(chance(70));
        const std::string p = chance(20) ? "" : path(dir.direct);
        const bool follow = chance(60);
        fc_statx here{};
        struct stat there {};
        text_ << "statx " << dir.handle << ' ' << p << " follow " << follow;
        const int result = files_->statx(dir.handle, p, follow ? 0 : FC_STATX_NOFOLLOW, &here);
        if (!same(result, oracle::stat(dir.direct, p, follow, &there))) return false;
        if (result < 0) return true;
        text_ << " but other attributes";
        return here.stat.mode == there.st_mode && here.stat.links == there.st_nlink &&
               here.stat.device == there.st_dev && here.stat.uid == there.st_uid &&
               here.stat.gid == there.st_gid &&
               (S_ISDIR(there.st_mode) || here.stat.size == static_cast<uint64_t>(there.st_size));
    }
    bool list_op() {
        const Pair dir = any(true);
        std::set<std::string> here, there;
        const uint32_t room = one_of<uint32_t>({280, 300, 1000, 4096, 100000});
        const bool current = dir.handle >= FC_FIRST_HANDLE && chance(50);
        text_ << "getdents " << dir.handle << " room " << room << " current " << current;
        uint64_t cookie = 0;
        int64_t result;
        while ((result = files_->getdents(dir.handle, cookie, room)) > 0) {
            for (int64_t at = 0; at < result;) {
                const auto* entry = reinterpret_cast<const fc_dirent*>(files_->data() + at);
                here.insert(entry->name + std::string(" ") + std::to_string(entry->type));
                at += entry->reclen;
                cookie = current ? FC_OFFSET_CURRENT : static_cast<uint64_t>(entry->next);
            }
        }
        return same(result, oracle::list(dir.direct, &there)) && here == there;
    }
};

void compare(const fs::path& where) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("seed " + std::to_string(seed));
    umask(022);
    Ops twins(where, seed);
    std::string what;
    const auto end = std::chrono::steady_clock::now() + kMostTime;
    int steps = 0;
    for (; steps < kSteps && std::chrono::steady_clock::now() < end; steps++)
        ASSERT_TRUE(twins.step(&what)) << "step " << steps << ": " << what;
    EXPECT_EQ(twins.tree("farcall"), twins.tree("direct"));
    EXPECT_GT(twins.successes, steps / 8) << "too few ops did anything";
}

TEST(FileOpsDiff, InMemory) {
    compare("/dev/shm");
}

TEST(FileOpsDiff, OnDisk) {
    compare(fs::temp_directory_path());
}

}  // namespace
}  // namespace farcall::test
