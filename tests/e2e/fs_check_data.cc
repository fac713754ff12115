// SPDX-License-Identifier: MIT
// What is in files: reading, writing, mapping.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/e2e/fs_check.h"

namespace fscheck {
namespace {

std::string whole(int fd) {
    std::string out(1 << 21, '\0');
    ssize_t at = 0, got;
    while ((got = ::pread(fd, out.data() + at, out.size() - at, at)) > 0)
        at += got;
    out.resize(at);
    return out;
}

void say_file(const char* what, int fd) {
    const std::string bytes = whole(fd);
    say_bytes(what, bytes.data(), bytes.size());
}

char* map(int fd, size_t bytes, int protection, int flags) {
    void* at = ::mmap(nullptr, bytes, protection, flags, fd, 0);
    if (at == MAP_FAILED) must(-1, "mmap");
    return static_cast<char*>(at);
}

}  // namespace

void check_mappings() {
    constexpr size_t kBytes = 300001;
    const std::string bytes = noise(kBytes, 1);
    const int fd = must(::open("mapped", O_RDWR | O_CREAT, 0644), "mapped");
    say("write", ::write(fd, bytes.data(), kBytes));
    char* priv = map(fd, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char* shared = map(fd, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED);
    say_bytes("private mapping", priv, kBytes);
    say("rest of the last page", std::count(shared + kBytes, shared + 303104, '\0'));
    std::memset(priv + 5000, 'p', 5000);
    std::memset(shared + 100000, 's', 10000);
    say("a read sees what the mapping wrote", whole(fd).substr(100000, 10000) == std::string(10000, 's'));
    say("pwrite", ::pwrite(fd, "written", 7, 100100));
    say("the mapping sees what was written", std::memcmp(shared + 100100, "written", 7) == 0);
    say("msync", ::msync(shared, kBytes, MS_SYNC));
    say("private stays", std::count(priv, priv + kBytes, 'p') >= 5000);
    say("truncate", ::ftruncate(fd, 200000));
    say("read at the new end", ::pread(fd, priv, 100, 199990));
    shared[199999] = 'z';
    say("munmap", ::munmap(shared, kBytes));
    say_file("after munmap", fd);
    say("close", ::close(fd));
    const int again = must(::open("mapped", O_RDONLY), "mapped");
    say("shared, writable, of a file opened for reading",
        ::mmap(nullptr, 10, PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED ? -1 : 0);
    char* third = map(again, 200000, PROT_READ, MAP_SHARED);
    say_bytes("mapped again", third, 200000);
    ::munmap(third, 200000);
    ::munmap(priv, kBytes);
    ::close(again);
    say("unlink", ::unlink("mapped"));
}

// Appending to a file whose pages are written to through a mapping keeps both.
void check_append_mapped() {
    const int fd = must(::open("mapped log", O_RDWR | O_CREAT | O_EXCL, 0644), "mapped log");
    say("ftruncate", ::ftruncate(fd, 4096));
    char* page = map(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    page[10] = 'm';
    say("F_SETFL", ::fcntl(fd, F_SETFL, O_APPEND));
    page[11] = 'n';
    say("append", ::write(fd, "more", 4));
    say("fsync", ::fsync(fd));
    page[12] = 'o';
    say("F_SETFL", ::fcntl(fd, F_SETFL, 0));
    iovec piece{const_cast<char*>("end"), 3};
    say("RWF_APPEND", ::pwritev2(fd, &piece, 1, 0, RWF_APPEND));
    say("pwrite", ::pwrite(fd, "p", 1, 0));
    say("msync", ::msync(page, 4096, MS_SYNC));
    say_file("mapped log", fd);
    ::munmap(page, 4096);
    ::close(fd);
    const int again = must(::open("mapped log", O_RDONLY), "mapped log");
    say_file("mapped log, opened again", again);
    ::close(again);
    say("unlink", ::unlink("mapped log"));
}

void check_append() {
    const int one = must(::open("log", O_WRONLY | O_CREAT | O_APPEND, 0644), "log");
    const int two = must(::open("log", O_RDWR | O_APPEND), "log");
    for (int i = 0; i < 20; i++) {
        const std::string line = "line " + std::to_string(i) + "\n";
        if (::write(i % 2 ? one : two, line.data(), line.size()) < 0) say("append", -1);
    }
    say("position", ::lseek(two, 0, SEEK_CUR));
    say("pwrite to a log", ::pwrite(one, "at the end", 10, 0));
    say("F_SETFL", ::fcntl(two, F_SETFL, 0));
    say("pwrite", ::pwrite(two, "LINE", 4, 0));
    say("F_SETFL", ::fcntl(two, F_SETFL, O_APPEND));
    say("write", ::write(two, "last\n", 5));
    say_file("log", two);
    std::vector<pid_t> children;
    for (int child = 0; child < 4; child++) {
        const pid_t pid = must(::fork(), "fork");
        if (pid == 0) {
            for (int i = 0; i < 50; i++)
                if (::write(one, "0123456789abcde\n", 16) != 16) ::_exit(1);
            ::_exit(0);
        }
        children.push_back(pid);
    }
    for (const pid_t pid : children)
        ::waitpid(pid, nullptr, 0);
    say_file("log of four", two);
    ::close(one);
    ::close(two);
    say("unlink", ::unlink("log"));
}

// Against an image in memory.
void check_odd_sizes() {
    static constexpr size_t kSizes[] = {1,     7,     511,   512,    4095,   4096,  4097,
                                        65535, 65536, 65537, 131073, 262147, 700001};
    std::string image;
    const int fd = must(::open("odd", O_RDWR | O_CREAT, 0644), "odd");
    unsigned seed = 7, wrong = 0;
    for (int round = 0; round < 40; round++) {
        const size_t bytes = kSizes[static_cast<size_t>(round) % std::size(kSizes)];
        seed = seed * 1103515245u + 12345u;
        const size_t at = (seed >> 8) % 500000;
        const std::string data = noise(bytes, seed);
        if (image.size() < at + bytes) image.resize(at + bytes);
        image.replace(at, bytes, data);
        iovec pieces[3] = {
            {const_cast<char*>(data.data()), bytes / 3},
            {const_cast<char*>(data.data()) + bytes / 3, bytes / 2},
            {const_cast<char*>(data.data()) + bytes / 3 + bytes / 2, bytes - bytes / 3 - bytes / 2}};
        const ssize_t put = round % 2 ? ::pwritev(fd, pieces, 3, static_cast<off_t>(at))
                                      : ::pwrite(fd, data.data(), bytes, static_cast<off_t>(at));
        std::string back(bytes + 100, '\0');
        const ssize_t got = ::pread(fd, back.data(), back.size(), static_cast<off_t>(at));
        wrong += put != static_cast<ssize_t>(bytes);
        wrong += got != static_cast<ssize_t>(std::min(back.size(), image.size() - at));
        wrong +=
            std::memcmp(back.data(), image.data() + at, static_cast<size_t>(std::max<ssize_t>(got, 0))) != 0;
    }
    say("wrong", wrong);
    say("all of it", whole(fd) == image);
    char* const volatile bad = nullptr;
    say("past the end", ::pread(fd, image.data(), 10, 10000000));
    say("a bad address", ::pread(fd, bad, 10, 0));
    say("a bad address to write from", ::pwrite(fd, bad, 10, 0));
    say("nothing", ::read(fd, nullptr, 0));
    say("fsync", ::fsync(fd));
    say("fdatasync", ::fdatasync(fd));
    ::close(fd);
    const int direct = static_cast<int>(say("O_DIRECT", ::open("odd", O_RDONLY | O_DIRECT) >= 0));
    (void)direct;
    say("unlink", ::unlink("odd"));
}

void check_holes() {
    const int fd = must(::open("holes", O_RDWR | O_CREAT | O_TRUNC, 0644), "holes");
    const std::string bytes = noise(65536, 3);
    say("pwrite", ::pwrite(fd, bytes.data(), bytes.size(), 1 << 20));
    say("SEEK_DATA", ::lseek(fd, 0, SEEK_DATA));
    say("SEEK_HOLE", ::lseek(fd, 1 << 20, SEEK_HOLE));
    say("SEEK_DATA at the end", ::lseek(fd, 1 << 21, SEEK_DATA));
    say("SEEK_END", ::lseek(fd, -10, SEEK_END));
    say("before the beginning", ::lseek(fd, -10, SEEK_SET));
    say("punch", ::fallocate(fd, 0x3, (1 << 20) + 4096, 8192));
    say_file("with holes", fd);
    say("allocate", ::fallocate(fd, 0, 0, 1500000));
    struct stat st {};
    say("fstat", ::fstat(fd, &st));
    say("size", st.st_size);
    say("grow", ::truncate("holes", 1600000));
    say("shrink", ::ftruncate(fd, 5));
    say_file("short", fd);
    say("O_TRUNC", ::close(must(::open("holes", O_RDONLY | O_TRUNC), "holes")));
    say("size", ::lseek(fd, 0, SEEK_END));
    ::close(fd);
    say("unlink", ::unlink("holes"));
}

void check_copies() {
    const std::string bytes = noise(500000, 5);
    const int from = must(::open("from", O_RDWR | O_CREAT, 0644), "from");
    const int to = must(::open("to", O_RDWR | O_CREAT, 0644), "to");
    say("write", ::write(from, bytes.data(), bytes.size()));
    off_t in = 100, out = 0;
    say("copy_file_range", ::copy_file_range(from, &in, to, &out, 200000, 0));
    say("positions", static_cast<long>(in * 1000000 + out));
    say_file("copied", to);
    in = 300000;
    say("lseek", ::lseek(to, 0, SEEK_END));
    say("sendfile", ::sendfile(to, from, &in, 100000));
    say_file("sent", to);
    int ends[2];
    must(::pipe(ends), "pipe");
    loff_t at = 12345;
    say("splice to a pipe", ::splice(from, &at, ends[1], nullptr, 30000, 0));
    at = 1000;
    long moved = 0, got;
    while (moved < 30000 &&
           (got = ::splice(ends[0], nullptr, to, &at, 30000 - static_cast<size_t>(moved), 0)) > 0)
        moved += got;
    say("splice from it", moved);
    say_file("spliced", to);
    for (const int fd : {from, to, ends[0], ends[1]})
        ::close(fd);
    say("unlink", ::unlink("from") + ::unlink("to"));
}

void check_program(const char* self) {
    const int from = must(::open(self, O_RDONLY), self);
    const int to = must(::open("program", O_WRONLY | O_CREAT, 0755), "program");
    char buffer[50000];
    ssize_t got;
    while ((got = ::read(from, buffer, sizeof(buffer))) > 0)
        must(static_cast<int>(::write(to, buffer, static_cast<size_t>(got))), "write");
    ::close(from);
    ::close(to);
    say("system", std::system("./program --hello"));
    say("chmod", ::chmod("program", 0644));
    say("not executable", ::execl("./program", "./program", "--hello", nullptr));
    say("unlink", ::unlink("program"));
}

}  // namespace fscheck
