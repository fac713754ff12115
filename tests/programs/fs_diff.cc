// SPDX-License-Identifier: MIT
// The same random system calls in two directories of different file systems, one after the other: results,
// errors and what each leaves must not differ.    fs_diff DIRECTORY REFERENCE SEED CALLS
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

/// What one call said on one side.
struct Answer {
    long result = 0;
    int error = 0;
    std::string more;
    bool operator==(const Answer&) const = default;
};

Answer answer(long result, std::string more = {}) {
    return {result < 0 ? -1 : result, result < 0 ? errno : 0, result < 0 ? std::string() : std::move(more)};
}

std::string describe(const struct stat& st) {
    std::string text = std::to_string(st.st_mode) + " links " + std::to_string(st.st_nlink);
    // What a directory's size and links count is the file system's affair.
    if (S_ISDIR(st.st_mode)) return std::to_string(st.st_mode);
    return text + " size " + std::to_string(st.st_size);
}

/// A call with all that was drawn for it, so that both sides make the same one.
struct Call {
    unsigned kind = 0;
    std::string a, b;
    int flags = 0;
    unsigned mode = 0;
    size_t which = 0;
    long number = 0;
};

constexpr const char* kNames[] = {"a",     "b",     "c",   "d",      "d/a", "d/b", "d/e",
                                  "d/e/a", "d/e/f", "./a", "d/../b", "a/x", "l/a", "none/a",
                                  "d/",    "a/",    ".",   "d/..",   "l",   ""};
constexpr unsigned kKinds = 22;
constexpr size_t kFiles = 6;

class Side {
  public:
    explicit Side(const std::string& directory)
        : directory_(open(directory.c_str(), O_RDONLY | O_DIRECTORY)) {
        if (directory_ < 0) std::perror(directory.c_str()), std::exit(2);
        files_.assign(kFiles, -1);
    }
    Answer run(const Call& c) {
        switch (c.kind) {
            case 0:
            case 1:
                return open_file(c);
            case 2:
                return close_file(c);
            case 3:
                return answer(mkdirat(directory_, c.a.c_str(), c.mode));
            case 4:
                return answer(unlinkat(directory_, c.a.c_str(), 0));
            case 5:
                return answer(unlinkat(directory_, c.a.c_str(), AT_REMOVEDIR));
            case 6:
                return answer(renameat(directory_, c.a.c_str(), directory_, c.b.c_str()));
            case 7:
                return answer(renameat2(directory_, c.a.c_str(), directory_, c.b.c_str(), c.flags & 3));
            case 8:
                return answer(linkat(directory_, c.a.c_str(), directory_, c.b.c_str(), 0));
            case 9:
                return answer(symlinkat(c.b.empty() ? "a" : c.b.c_str(), directory_, c.a.c_str()));
            case 10:
                return read_link(c);
            case 11:
            case 12:
                return look(c, c.flags & 1 ? AT_SYMLINK_NOFOLLOW : 0);
            case 13:
                return answer(fchmodat(directory_, c.a.c_str(), c.mode & 0777, 0));
            case 14:
                return set_times(c);
            case 15:
                return list(c);
            case 16:
                return answer(ftruncate(files_[c.which], c.number));
            case 17:
                return answer(pwrite(files_[c.which], "0123456789", 10, c.number));
            case 18:
                return read_file(c);
            case 19:
                return answer(lseek(files_[c.which], c.number, c.flags & 1 ? SEEK_END : SEEK_CUR));
            case 20:
                return look_at_file(c);
            default:
                return answer(
                    mknodat(directory_, c.a.c_str(), (c.flags & 1 ? S_IFIFO : S_IFREG) | c.mode, 0));
        }
    }

  private:
    Answer open_file(const Call& c) {
        const int fd = openat(directory_, c.a.c_str(), c.flags | O_NONBLOCK | O_CLOEXEC, c.mode);
        if (fd < 0) return answer(-1);
        // A FIFO is the guest's own.
        struct stat st {};
        fstat(fd, &st);
        if (files_[c.which] >= 0) close(files_[c.which]);
        files_[c.which] = fd;
        return answer(0, describe(st));
    }
    Answer close_file(const Call& c) {
        const Answer result = answer(close(files_[c.which]));
        files_[c.which] = -1;
        return result;
    }
    Answer read_link(const Call& c) {
        char text[300];
        const ssize_t n = readlinkat(directory_, c.a.c_str(), text, sizeof(text));
        return answer(n, std::string(text, static_cast<size_t>(std::max<ssize_t>(n, 0))));
    }
    Answer look(const Call& c, int flags) {
        struct stat st {};
        const int result = fstatat(directory_, c.a.c_str(), &st, flags);
        return answer(result, describe(st));
    }
    Answer look_at_file(const Call& c) {
        struct stat st {};
        const int result = fstat(files_[c.which], &st);
        return answer(result, describe(st));
    }
    Answer set_times(const Call& c) {
        const timespec times[2] = {{c.number, 5}, {c.number, 7}};
        if (utimensat(directory_, c.a.c_str(), times, c.flags & 1 ? AT_SYMLINK_NOFOLLOW : 0) < 0)
            return answer(-1);
        struct stat st {};
        fstatat(directory_, c.a.c_str(), &st, c.flags & 1 ? AT_SYMLINK_NOFOLLOW : 0);
        return answer(0, std::to_string(st.st_mtim.tv_sec) + "." + std::to_string(st.st_mtim.tv_nsec));
    }
    Answer list(const Call& c) {
        const int fd = openat(directory_, c.a.c_str(), O_RDONLY | O_DIRECTORY);
        if (fd < 0) return answer(-1);
        DIR* dir = fdopendir(fd);
        std::vector<std::string> names;
        while (const dirent* entry = readdir(dir))
            names.push_back(std::string(entry->d_name) + "/" + std::to_string(entry->d_type));
        closedir(dir);
        std::sort(names.begin(), names.end());
        std::string text;
        for (const std::string& name : names)
            text += name + " ";
        return answer(0, text);
    }
    Answer read_file(const Call& c) {
        char text[64];
        const ssize_t n = pread(files_[c.which], text, sizeof(text), c.number);
        return answer(n, std::string(text, static_cast<size_t>(std::max<ssize_t>(n, 0))));
    }

    int directory_;
    std::vector<int> files_;
};

class Drawer {
  public:
    explicit Drawer(unsigned seed) : random_(seed) {}
    Call next() {
        constexpr int kFlags[] = {O_RDONLY, O_WRONLY, O_RDWR};
        constexpr int kMore[] = {O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW};
        Call c;
        c.kind = static_cast<unsigned>(random_() % kKinds);
        c.a = name();
        c.b = name();
        c.flags = kFlags[random_() % 3];
        for (const int flag : kMore)
            if (random_() % (flag == O_CREAT ? 2 : 5) == 0) c.flags |= flag;
        constexpr unsigned kModes[] = {0644, 0600, 0755, 0444, 0777, 0};
        c.mode = kModes[random_() % 5 + (random_() % 20 == 0)];
        c.which = random_() % kFiles;
        c.number = static_cast<long>(random_() % 40) - (random_() % 10 == 0 ? 50 : 0);
        return c;
    }

  private:
    std::string name() {
        if (random_() % 400 == 0) return std::string(256, 'n');  // too long
        return kNames[random_() % (random_() % 4 == 0 ? std::size(kNames) : 9)];
    }
    std::mt19937 random_;
};

void print(const char* side, const Answer& a) {
    std::printf("  %s: %ld %s %s\n", side, a.result, a.error != 0 ? strerror(a.error) : "", a.more.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: fs_diff DIRECTORY REFERENCE SEED CALLS\n");
        return 2;
    }
    const auto seed = static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10));
    umask(022);
    Side here(argv[1]), there(argv[2]);
    Drawer drawer(seed);
    int wrong = 0;
    for (int i = 0; i < std::atoi(argv[4]) && wrong < 10; i++) {
        const Call c = drawer.next();
        const Answer one = here.run(c), other = there.run(c);
        if (one == other) continue;
        wrong++;
        std::printf("seed %u, call %d: kind %u '%s' '%s' flags 0%o mode 0%o file %zu number %ld\n", seed, i,
                    c.kind, c.a.c_str(), c.b.c_str(), static_cast<unsigned>(c.flags), c.mode, c.which,
                    c.number);
        print("here", one);
        print("reference", other);
    }
    if (wrong == 0) std::printf("%s calls: no difference\n", argv[4]);
    return wrong == 0 ? 0 : 1;
}
