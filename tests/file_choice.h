// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>

#include "host-lib/unique_fd.h"
#include "tests/file_oracle.h"

namespace farcall::test {

/// Random operands of file ops: valid, borderline and invalid.
class Choice {
  public:
    static constexpr uint32_t kMostBytes = 200000;  ///< beyond what a worker moves itself

    explicit Choice(uint32_t seed) : random_(seed) {}

    uint64_t below(uint64_t n) { return random_() % n; }
    bool chance(unsigned percent) { return below(100) < percent; }
    template <class T>
    T one_of(std::initializer_list<T> list) {
        return list.begin()[below(list.size())];
    }

    std::string name() {
        if (chance(2)) return std::string(one_of<size_t>({255, 256}), 'n');
        return one_of<const char*>(
            {"a", "b", "c", "d", "e", "f", "up", "out", "fifo", "absolute", ".", ".."});
    }
    std::string any_path() {
        if (chance(1)) return one_of<std::string>({"", std::string("a\0b", 3), std::string(4096, 'p')});
        std::string result = chance(2) ? "/" : "";
        for (uint64_t left = one_of<uint64_t>({1, 1, 1, 2, 2, 3}); left > 0; left--) {
            result += name();
            if (left > 1) result += chance(3) ? "//" : "/";
        }
        return chance(6) ? result + "/" : result;
    }
    /// A path that names something, unless the directory is empty or gone.
    std::string existing(const oracle::Object& dir) {
        std::string result;
        for (uint64_t left = one_of<uint64_t>({1, 1, 2, 3}); left > 0; left--) {
            const char* at = result.empty() ? "." : result.c_str();
            const UniqueFd fd(openat(dir.fd, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            std::set<std::string> names;
            if (!fd || oracle::list({fd.get(), true}, &names) != 0 || names.size() <= 2) break;
            std::erase_if(names, [](const std::string& name) { return name == ". 4" || name == ".. 4"; });
            const std::string& name = *std::next(names.begin(), static_cast<long>(below(names.size())));
            result += (result.empty() ? "" : "/") + name.substr(0, name.rfind(' '));
        }
        return result.empty() ? name() : result;
    }
    std::string path(const oracle::Object& dir) { return chance(65) ? existing(dir) : any_path(); }
    std::string new_path(const oracle::Object& dir) {
        return chance(30) ? existing(dir) + "/" + name() : chance(30) ? any_path() : name();
    }
    uint64_t offset() {
        if (chance(25)) return FC_OFFSET_CURRENT;
        if (chance(4)) return one_of<uint64_t>({1ull << 63, INT64_MAX, INT64_MAX - 10, 1ull << 40});
        return below(kMostBytes);
    }
    uint32_t bytes() { return static_cast<uint32_t>(chance(80) ? below(5000) : below(kMostBytes)); }
    char byte() { return static_cast<char>(random_()); }

  private:
    std::mt19937_64 random_;
};

/// What a tree starts with, traps included.
inline void plant(const std::filesystem::path& root) {
    std::filesystem::create_directories(root / "a" / "b");
    std::filesystem::create_directory(root / "c");
    std::ofstream(root / "a" / "d") << "some text";
    EXPECT_EQ(mkfifo((root / "fifo").c_str(), 0600), 0);
    std::filesystem::create_symlink("a/b", root / "e");
    std::filesystem::create_symlink("..", root / "a" / "up");
    std::filesystem::create_symlink("../..", root / "a" / "out");
    std::filesystem::create_symlink("/dev/null", root / "c" / "absolute");
}

/// A hash of where a file has bytes that are not 0, and which: files may be huge and empty.
inline size_t contents(const std::filesystem::path& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    size_t hash = 0;
    off_t at = 0;
    while ((at = lseek(fd.get(), at, SEEK_DATA)) >= 0) {
        const off_t end = lseek(fd.get(), at, SEEK_HOLE);
        std::string chunk(static_cast<size_t>(std::min<off_t>(end - at, 1 << 20)), '\0');
        const ssize_t n = pread(fd.get(), chunk.data(), chunk.size(), at);
        if (n <= 0) break;
        for (ssize_t i = 0; i < n; i++)
            if (chunk[i] != 0)
                hash = hash * 31 + static_cast<size_t>(at + i) * 257 + static_cast<uint8_t>(chunk[i]);
        at += n;
    }
    return hash;
}

/// Names, types, modes, link counts, sizes, targets and contents below a directory.
inline void describe(const std::filesystem::path& root, std::ostringstream& out) {
    std::set<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::directory_iterator(root))
        all.insert(entry.path());
    for (const std::filesystem::path& path : all) {
        struct stat st;
        lstat(path.c_str(), &st);
        out << path.filename().string() << ' ' << std::oct << st.st_mode << std::dec << ' ' << st.st_nlink;
        if (S_ISLNK(st.st_mode)) out << " -> " << std::filesystem::read_symlink(path).string();
        if (S_ISREG(st.st_mode)) out << ' ' << st.st_size << ' ' << contents(path);
        out << '\n';
        if (S_ISDIR(st.st_mode)) describe(path, out);
    }
    out << "end of " << root.filename().string() << '\n';
}

}  // namespace farcall::test
