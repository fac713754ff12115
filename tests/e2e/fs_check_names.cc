// SPDX-License-Identifier: MIT
// Names: making, changing and losing them, and what is left of a file without one.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/fs_check.h"

namespace fscheck {
namespace {

int make(const std::string& name, const char* text = "") {
    const int fd = must(::open(name.c_str(), O_RDWR | O_CREAT, 0644), name.c_str());
    must(static_cast<int>(::write(fd, text, std::strlen(text))), name.c_str());
    return fd;
}

void say_text(const char* what, int fd) {
    char text[100] = {};
    const ssize_t got = ::pread(fd, text, sizeof(text) - 1, 0);
    std::printf("%s: %zd '%s'\n", what, got, text);
}

void say_stat(const char* what, int result, const struct stat& st) {
    if (say(what, result) < 0) return;
    std::printf("  mode %o links %ld size %lld\n", st.st_mode, static_cast<long>(st.st_nlink),
                S_ISDIR(st.st_mode) ? 0ll : static_cast<long long>(st.st_size));
}

}  // namespace

void check_unlinked() {
    const int fd = make("gone", "text");
    struct stat st {};
    say("unlink", ::unlink("gone"));
    say_stat("fstat without a name", ::fstat(fd, &st), st);
    say("write", ::pwrite(fd, "more text", 9, 4));
    say_text("read", fd);
    say("truncate", ::ftruncate(fd, 6));
    say("chmod", ::fchmod(fd, 0600));
    say_stat("fstat", ::fstat(fd, &st), st);
    say("stat of the name", ::stat("gone", &st));
    const int other = make("gone", "another");
    say_text("the other", other);
    say_text("the first", fd);
    ::close(fd);
    ::close(other);
    say("unlink", ::unlink("gone"));
}

void check_rename_over() {
    const int old = make("target", "old");
    const int fresh = make("fresh", "new");
    struct stat st {};
    say("rename", ::rename("fresh", "target"));
    say_text("the old one", old);
    say_text("the new one", fresh);
    const int again = must(::open("target", O_RDONLY), "target");
    say_text("by name", again);
    say_stat("the old one", ::fstat(old, &st), st);
    say("the source", ::open("fresh", O_RDONLY));
    ::close(make("third", "3"));
    say("RENAME_NOREPLACE", ::renameat2(AT_FDCWD, "third", AT_FDCWD, "target", RENAME_NOREPLACE));
    say("RENAME_EXCHANGE", ::renameat2(AT_FDCWD, "third", AT_FDCWD, "target", RENAME_EXCHANGE));
    const int exchanged = must(::open("target", O_RDONLY), "target");
    say_text("exchanged", exchanged);
    say_stat("by the other name", ::stat("third", &st), st);
    for (const int fd : {old, fresh, again, exchanged})
        ::close(fd);
    say("unlink", ::unlink("target") + ::unlink("third"));
}

// Directories that have changed places across directories are found there, also by a rename.
void check_exchanged_directories() {
    say("directories", ::mkdir("over", 0755) + ::mkdir("over/one", 0755) + ::mkdir("other", 0755) +
                           ::mkdir("other/inner", 0755));
    say("exchange", ::renameat2(AT_FDCWD, "over/one", AT_FDCWD, "other", RENAME_EXCHANGE));
    say("rename what came", ::rename("over/one", "back"));
    say("rename what went", ::rename("other", "over/away"));
    say("what was in it", ::rmdir("back/inner"));
    say("rmdir", ::rmdir("back") + ::rmdir("over/away") + ::rmdir("over"));
}

// Of all who make a name exclusively, one succeeds.
void check_exclusive() {
    constexpr int kChildren = 6, kRounds = 30;
    int ends[2];
    must(::pipe(ends), "pipe");
    for (int child = 0; child < kChildren; child++) {
        if (must(::fork(), "fork") != 0) continue;
        for (int round = 0; round < kRounds; round++) {
            const std::string name = "only" + std::to_string(round);
            if (::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0)
                must(static_cast<int>(::write(ends[1], "w", 1)), "pipe");
        }
        ::_exit(0);
    }
    while (::wait(nullptr) > 0) {
    }
    ::close(ends[1]);
    char winners[kChildren * kRounds];
    say("winners", ::read(ends[0], winners, sizeof(winners)));
    ::close(ends[0]);
    for (int round = 0; round < kRounds; round++)
        if (::unlink(("only" + std::to_string(round)).c_str()) < 0) say("unlink", -1);
}

// Names that stay while others come and go are there exactly once.
void check_readdir() {
    must(::mkdir("many", 0755), "many");
    for (int i = 0; i < 600; i++)
        ::close(make("many/stays" + std::to_string(i)));
    for (int i = 0; i < 100; i++)
        ::close(make("many/goes" + std::to_string(i)));
    DIR* dir = ::opendir("many");
    std::map<std::string, int> seen;
    int at = 0, wrong = 0;
    long middle = 0;
    while (const dirent* entry = ::readdir(dir)) {
        seen[entry->d_name]++;
        if (++at == 200) middle = ::telldir(dir);
        if (at % 5 == 0 && at / 5 <= 100) ::unlink(("many/goes" + std::to_string(at / 5 - 1)).c_str());
        if (at % 7 == 0 && at < 700) ::close(make("many/comes" + std::to_string(at)));
    }
    for (int i = 0; i < 600; i++)
        wrong += seen["stays" + std::to_string(i)] != 1;
    say("seen not once", wrong);
    say("dots", seen["."] * 10 + seen[".."]);
    ::seekdir(dir, middle);
    say("from the middle", ::readdir(dir) != nullptr);
    ::rewinddir(dir);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(dir))
        if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    say("left", static_cast<long>(names.size()));
    ::closedir(dir);
    for (const std::string& name : names)
        if (::unlink(("many/" + name).c_str()) < 0) say(name.c_str(), -1);
    say("rmdir", ::rmdir("many"));
}

void check_errors() {
    ::close(make("file"));
    must(::mkdir("directory", 0755), "directory");
    must(::symlink("loop", "loop"), "loop");
    struct stat st {};
    char text[10];
    say("ENOENT", ::open("nothing", O_RDONLY));
    say("ENOENT in the middle", ::open("nothing/file", O_RDONLY | O_CREAT, 0600));
    say("ENOTDIR", ::open("file/below", O_RDONLY));
    say("EISDIR", ::open("directory", O_WRONLY));
    say("read of a directory", ::read(must(::open("directory", O_RDONLY), "directory"), text, 10));
    say("EEXIST", ::open("file", O_WRONLY | O_CREAT | O_EXCL, 0600));
    say("mkdir of a file", ::mkdir("file", 0755));
    say("ELOOP", ::open("loop", O_RDONLY));
    say("O_NOFOLLOW", ::open("loop", O_RDONLY | O_NOFOLLOW));
    say("long name", ::open(std::string(256, 'n').c_str(), O_WRONLY | O_CREAT, 0600));
    say("longest name", ::close(::open(std::string(255, 'n').c_str(), O_WRONLY | O_CREAT, 0600)));
    say("unlink it", ::unlink(std::string(255, 'n').c_str()));
    say("unlink of a directory", ::unlink("directory"));
    say("rmdir of a file", ::rmdir("file"));
    say("slash behind a file", ::stat("file/", &st));
    say("O_DIRECTORY", ::open("file", O_RDONLY | O_DIRECTORY));
    say("directory below itself", ::rename("directory", "directory/below"));
    say("file over directory", ::rename("file", "directory"));
    say("directory over file", ::rename("directory", "file"));
    say("link to a directory", ::link("directory", "hard"));
    say("link to nothing", ::link("nothing", "hard"));
    say("write to what is open for reading", ::write(must(::open("file", O_RDONLY), "file"), "x", 1));
    ::close(make("directory/file"));
    say("ENOTEMPTY", ::rmdir("directory"));
    say("unlink", ::unlink("directory/file") + ::unlink("file") + ::unlink("loop"));
    say("rmdir", ::rmdir("directory"));
}

void check_attributes() {
    const int fd = make("attributes", "x");
    struct stat st {};
    for (const mode_t mode : {0000u, 0400u, 0640u, 0777u, 01755u}) {
        say("chmod", ::chmod("attributes", mode));
        say_stat("stat", ::stat("attributes", &st), st);
    }
    const timespec times[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
    say("utimensat", ::utimensat(AT_FDCWD, "attributes", times, 0));
    say_stat("stat", ::stat("attributes", &st), st);
    std::printf("  times %ld.%09ld %ld.%09ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
                st.st_mtim.tv_nsec);
    const timespec omit[2] = {{0, UTIME_OMIT}, {5, 0}};
    say("futimens", ::futimens(fd, omit));
    say("fstat", ::fstat(fd, &st));
    say("times", st.st_atim.tv_sec + st.st_mtim.tv_sec);
    say("chown to its owner", ::chown("attributes", ::geteuid(), ::getegid()));
    say("access", ::access("attributes", R_OK | W_OK | X_OK));
    ::umask(0027);
    ::close(must(::open("masked", O_WRONLY | O_CREAT, 0666), "masked"));
    say_stat("a mask", ::stat("masked", &st), st);
    must(::mkdir("masked.d", 0777), "masked.d");
    say_stat("a mask", ::stat("masked.d", &st), st);
    ::umask(0);
    must(::mkdir("sticky.d", 01777), "sticky.d");
    say_stat("no mask", ::stat("sticky.d", &st), st);
    ::umask(022);
    char value[100] = {};
    say("setxattr", ::setxattr("attributes", "user.one", "value", 5, 0));
    say("getxattr", ::getxattr("attributes", "user.one", value, sizeof(value)));
    std::printf("  '%s'\n", value);
    say("its length", ::getxattr("attributes", "user.one", nullptr, 0));
    say("too short", ::getxattr("attributes", "user.one", value, 2));
    say("XATTR_CREATE", ::setxattr("attributes", "user.one", "v", 1, XATTR_CREATE));
    say("listxattr", ::listxattr("attributes", value, sizeof(value)));
    say("removexattr", ::removexattr("attributes", "user.one"));
    say("getxattr", ::getxattr("attributes", "user.one", value, sizeof(value)));
    ::close(fd);
    say("unlink", ::unlink("attributes") + ::unlink("masked") + ::rmdir("masked.d") + ::rmdir("sticky.d"));
}

void check_directories() {
    must(::mkdir("a", 0755), "a");
    must(::mkdir("a/b", 0755), "a/b");
    must(::mkdir("c", 0755), "c");
    const int home = must(::open(".", O_RDONLY | O_DIRECTORY), ".");
    must(::chdir("a/b"), "a/b");
    ::close(make("file", "deep"));
    say("rename what is above", ::renameat(home, "a", home, "c/d"));
    say("open", ::close(must(::open("file", O_RDONLY), "file")));
    say("mkdir", ::mkdir("e", 0700));
    struct stat st {};
    say("by the new path", ::fstatat(home, "c/d/b/file", &st, 0));
    say("by the old path", ::fstatat(home, "a/b/file", &st, 0));
    char path[4096];
    const char* end = ::getcwd(path, sizeof(path));
    say("getcwd", end != nullptr && std::strstr(path, "/c/d/b") != nullptr);
    say("..", ::fstatat(AT_FDCWD, "../b/file", &st, 0));
    say("clean", ::unlink("file") + ::rmdir("e"));
    say("rmdir of the working directory", ::unlinkat(home, "c/d/b", AT_REMOVEDIR));
    say("make something in it", ::open("file", O_WRONLY | O_CREAT, 0600));
    say_stat("stat of it", ::stat(".", &st), st);
    must(::fchdir(home), "fchdir");
    say("rmdir", ::rmdir("c/d") + ::rmdir("c"));
    ::close(home);
}

void check_links() {
    struct stat one {
    }, two{};
    char text[20] = {};
    const int fd = make("one", "linked");
    say("link", ::link("one", "two"));
    say_stat("stat", ::stat("one", &one) + ::stat("two", &two), two);
    say("the same", one.st_ino == two.st_ino && one.st_dev == two.st_dev);
    say("write by one", ::pwrite(fd, "LINK", 4, 0));
    const int second = must(::open("two", O_RDONLY), "two");
    say_text("read by the other", second);
    say("rename to the same file", ::rename("one", "two"));
    say("both there", ::access("one", F_OK) + ::access("two", F_OK));
    say("unlink", ::unlink("one"));
    say_stat("fstat", ::fstat(fd, &one), one);
    say("symlink", ::symlink("two", "soft"));
    say("readlink", ::readlink("soft", text, sizeof(text)));
    say("cut", ::readlink("soft", text, 2));
    say_stat("lstat", ::lstat("soft", &one), one);
    say_stat("stat", ::stat("soft", &one), one);
    say("absolute", ::symlink("/proc/self/status", "absolute"));
    say("followed", ::access("absolute", R_OK));
    say("dangling", ::symlink("no/where", "dangling"));
    say("open", ::open("dangling", O_RDONLY));
    say("create through it", ::open("dangling", O_WRONLY | O_CREAT, 0600));
    ::close(fd);
    ::close(second);
    say("unlink", ::unlink("two") + ::unlink("soft") + ::unlink("absolute") + ::unlink("dangling"));
}

}  // namespace fscheck
