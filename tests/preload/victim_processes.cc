// SPDX-License-Identifier: MIT
// What is about processes, descriptors and restrictions.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/preload/victim.h"

extern char** environ;

namespace victim {

namespace {

int status_of(pid_t child) {
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

bool use_plugin() {
    void* plugin = dlopen(FARCALL_PLUGIN, RTLD_NOW);
    if (plugin == nullptr) return false;
    const auto call = reinterpret_cast<long (*)()>(dlsym(plugin, "plugin_getpid"));
    const bool right = call != nullptr && call() == getpid();
    return dlclose(plugin) == 0 && right;
}

int run_in_clone(void*) {
    _exit(getpid() > 0 ? 9 : 1);
}

}  // namespace

int plugins() {
    int right = 0;
    for (int i = 0; i < 300; i++)
        right += use_plugin() ? 1 : 0;
    std::printf("%d\n", right);
    return 0;
}

int spawn() {
    char sh[] = "/bin/sh", option[] = "-c", script[] = "echo child; exit 3";
    char* words[] = {sh, option, script, nullptr};
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(getppid() > 0 ? 5 : 6);
    std::printf("fork %d\n", status_of(child));
    std::fflush(stdout);
    child = vfork();
    if (child == 0) {
        execv(sh, words);
        _exit(1);
    }
    std::printf("vfork %d\n", status_of(child));
    child = vfork();
    if (child == 0) _exit(8);
    std::printf("vfork and exit %d\n", status_of(child));
    std::fflush(stdout);
    for (char** environment : {environ, static_cast<char**>(nullptr)}) {
        if (posix_spawn(&child, sh, nullptr, nullptr, words, environment) != 0) return 1;
        std::printf("posix_spawn %d\n", status_of(child));
        std::fflush(stdout);
    }
    std::vector<char> stack(1 << 16);
    child = clone(run_in_clone, stack.data() + stack.size(), SIGCHLD, nullptr);
    std::printf("clone %d\n", status_of(child));
    child = clone(run_in_clone, stack.data() + stack.size(), SIGCHLD | CLONE_VM, nullptr);
    std::printf("clone sharing memory %d\n", status_of(child));
    // More variables than fit the stack.
    std::vector<std::string> many;
    for (int i = 0; i < 3000; i++)
        many.push_back("V" + std::to_string(i) + "=x");
    std::vector<char*> pointers;
    for (std::string& each : many)
        pointers.push_back(each.data());
    pointers.push_back(nullptr);
    char count[] = "env | grep -c ^V";
    words[2] = count;
    if (posix_spawn(&child, sh, nullptr, nullptr, words, pointers.data()) != 0) return 1;
    std::printf("many variables %d\n", status_of(child));
    return 0;
}

int environment() {
    for (char** variable = environ; *variable != nullptr; variable++)
        std::printf("%s\n", *variable);
    for (int fd = 0; fd < 2000; fd++)
        if (fcntl(fd, F_GETFD) >= 0) std::printf("%d is open\n", fd);
    return 0;
}

int descriptors() {
    int sum = 0;
    for (int round = 0; round < 5; round++) {
        closefrom(3);
        for (int fd = 3; fd < 1100; fd++)
            sum += dup2(0, fd) == fd ? 1 : 0;
        for (int fd = 3; fd < 1100; fd++)
            sum += close(fd) == 0 ? 1 : 0;
        for (int fd = 3; fd < 1100; fd++)
            sum += close(fd) < 0 && errno == EBADF ? 1 : 0;
        sum += close_range(3, ~0U, 0) == 0 ? 1 : 0;
        const int fd = open("/etc/passwd", O_RDONLY);
        std::printf("%d\n", fd);
        close(fd);
    }
    std::printf("%d\n", sum);
    return 0;
}

int restricted() {
    std::printf("before\n");
    std::fflush(stdout);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    if (write(1, "strict\n", 7) != 7) syscall(SYS_exit, 1);
    syscall(SYS_exit, 4);
    return 0;
}

int filtered() {
    // Everything is deadly but write, exit and what returns from signals.
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof(code) / sizeof(code[0]), code};
    std::printf("before\n");
    std::fflush(stdout);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return 1;
    const int fd = open("/etc/passwd", O_RDONLY);
    close(fd);
    if (write(1, "filtered\n", 9) != 9) _exit(1);
    _exit(6);
}

int faults() {
    static char* volatile nowhere = reinterpret_cast<char*>(16);
    static char** volatile none = nullptr;
    char* bad = nowhere;
    char** empty = none;
    const auto print = [](const char* what, long result) {
        std::printf("%s %ld %s\n", what, result, result < 0 ? std::strerror(errno) : "");
    };
    print("open", open(bad, O_RDONLY));
    print("stat", syscall(SYS_stat, bad, bad));
    print("read", read(0, bad, 16));
    print("write", write(1, bad, 16));
    print("execve", execve(bad, empty, empty));
    print("execve", execve("/bin/true", empty, reinterpret_cast<char**>(bad)));
    char* words[] = {bad, nullptr};
    print("execve", execve("/bin/true", words, words));
    print("chdir", chdir(bad));
    print("rename", rename("/nowhere", bad));
    print("number", syscall(100000));
    print("number", syscall(-1));
    print("mmap", syscall(SYS_mmap, 1, 0, 0, 0, 0, 0));
    return 0;
}

int storm() {
    std::atomic<int> loaded{0}, forked{0}, moved{0};
    std::atomic<bool> stop{false};
    static volatile sig_atomic_t ticks;
    struct sigaction action = {};
    action.sa_handler = [](int) {
        ticks = ticks + 1;
        char byte;
        if (pread(0, &byte, 1, 0) < -1) std::abort();
    };
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, nullptr);
    const itimerval timer{{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &timer, nullptr);
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
        for (int i = 0; i < 100; i++)
            loaded += use_plugin() ? 1 : 0;
    });
    threads.emplace_back([&] {
        for (int i = 0; i < 60; i++) {
            const pid_t child = fork();
            if (child == 0) _exit(getpid() > 1 ? 17 : 0);
            forked += status_of(child) == 17 ? 1 : 0;
        }
    });
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return 1;
    threads.emplace_back([&] {
        for (int i = 0; i < 20000; i++)
            if (write(pipe_ends[1], &i, sizeof(i)) != sizeof(i)) std::abort();
    });
    threads.emplace_back([&] {
        for (int i = 0; i < 20000; i++) {
            int got = -1;
            if (read(pipe_ends[0], &got, sizeof(got)) != sizeof(got)) std::abort();
            moved += got == i ? 1 : 0;
        }
    });
    for (std::thread& thread : threads)
        thread.join();
    std::printf("%d loaded, %d forked, %d moved\n", loaded.load(), forked.load(), moved.load());
    return ticks > 0 ? 0 : 1;
}

}  // namespace victim
