// SPDX-License-Identifier: MIT
//   farcall-e2e-fs DIRECTORY    DIRECTORY is new, and is left empty but for what a check could not remove
#include "tests/e2e/fs_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fscheck {

long say(const char* what, long result) {
    if (result < 0)
        std::printf("%s: %s\n", what, strerrorname_np(errno));
    else
        std::printf("%s: %ld\n", what, result);
    return result;
}

void say_bytes(const char* what, const void* bytes, size_t count) {
    unsigned long long sum = 14695981039346656037ull;
    for (size_t i = 0; i < count; i++)
        sum = (sum ^ static_cast<const unsigned char*>(bytes)[i]) * 1099511628211ull;
    std::printf("%s: %zu bytes %016llx\n", what, count, sum);
}

int must(int result, const char* what) {
    if (result >= 0) return result;
    std::perror(what);
    std::exit(1);
}

std::string noise(size_t count, unsigned seed) {
    std::string out(count, '\0');
    for (char& c : out) {
        seed = seed * 1103515245u + 12345u;
        c = static_cast<char>(seed >> 16);
    }
    return out;
}

}  // namespace fscheck

int main(int argc, char** argv) {
    using namespace fscheck;
    if (argc == 2 && std::strcmp(argv[1], "--hello") == 0) {
        std::puts("a program of this directory");
        return 0;
    }
    if (argc != 2) {
        std::fprintf(stderr, "usage: farcall-e2e-fs DIRECTORY\n");
        return 2;
    }
    char self[4096];
    const ssize_t length = ::readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[must(static_cast<int>(length), "/proc/self/exe")] = '\0';
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    ::umask(022);
    must(::mkdir(argv[1], 0755), argv[1]);
    must(::chdir(argv[1]), argv[1]);
    check_mappings();
    check_append();
    check_append_mapped();
    check_odd_sizes();
    check_holes();
    check_copies();
    check_program(self);
    check_unlinked();
    check_rename_over();
    check_exchanged_directories();
    check_exclusive();
    check_readdir();
    check_errors();
    check_attributes();
    check_directories();
    check_links();
    check_signals();
    check_locks();
    check_sockets();
    std::puts("the end");
}
