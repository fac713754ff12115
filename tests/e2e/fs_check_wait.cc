// SPDX-License-Identifier: MIT
// What connects processes: FIFOs, locks, sockets with names.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "tests/e2e/fs_check.h"

namespace fscheck {
namespace {

volatile sig_atomic_t alarms = 0;

void on_alarm(int) {
    alarms = alarms + 1;
}

void alarm_every(suseconds_t us, int flags) {
    struct sigaction action {};
    action.sa_handler = on_alarm;
    action.sa_flags = flags;
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval timer = {{0, us}, {0, us}};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

void check_signals() {
    char byte;
    say("mkfifo", ::mkfifo("fifo", 0600));
    const int fd = must(::open("fifo", O_RDWR), "fifo");
    alarm_every(50000, 0);
    say("a read that a signal ends", ::read(fd, &byte, 1));
    say("handled", alarms > 0);
    say("write", ::write(fd, "x", 1));
    pollfd ready = {fd, POLLIN, 0};
    say("poll", ::poll(&ready, 1, 10000));
    say("read", ::read(fd, &byte, 1));
    ::close(fd);
    say("unlink", ::unlink("fifo"));
    // Files do not notice.
    alarm_every(300, SA_RESTART);
    const std::string bytes = noise(400000, 9);
    std::string back(bytes.size(), '\0');
    const int file = must(::open("file", O_RDWR | O_CREAT, 0600), "file");
    long moved = 0;
    for (int i = 0; i < 20; i++) {
        moved += ::pwrite(file, bytes.data(), bytes.size(), 0);
        moved += ::pread(file, back.data(), back.size(), 0);
    }
    alarm_every(0, 0);
    ::signal(SIGALRM, SIG_DFL);
    say("moved", moved);
    say("the same", back == bytes);
    ::close(file);
    say("unlink", ::unlink("file"));
}

void check_locks() {
    const int one = must(::open("lock", O_RDWR | O_CREAT, 0600), "lock");
    const int two = must(::open("lock", O_RDWR), "lock");
    say("flock", ::flock(one, LOCK_EX));
    say("flock of another", ::flock(two, LOCK_EX | LOCK_NB));
    say("unlock", ::flock(one, LOCK_UN));
    say("flock", ::flock(two, LOCK_SH | LOCK_NB));
    struct flock lock {};
    lock.l_type = F_WRLCK, lock.l_start = 10, lock.l_len = 10;
    say("F_SETLK", ::fcntl(one, F_SETLK, &lock));
    if (must(::fork(), "fork") == 0) {
        lock.l_start = 15;
        const int ret = ::fcntl(two, F_SETLK, &lock);
        ::_exit(ret < 0 ? errno : 0);
    }
    int status = 0;
    ::wait(&status);
    say("another process", WEXITSTATUS(status) == EAGAIN || WEXITSTATUS(status) == EACCES);
    ::close(one);
    ::close(two);
    say("unlink", ::unlink("lock"));
}

void check_sockets() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "socket");
    const auto* at = reinterpret_cast<const sockaddr*>(&address);
    const int server = must(::socket(AF_UNIX, SOCK_STREAM, 0), "socket");
    say("bind", ::bind(server, at, sizeof(address)));
    say("bind again", ::bind(must(::socket(AF_UNIX, SOCK_STREAM, 0), "socket"), at, sizeof(address)));
    say("listen", ::listen(server, 1));
    struct stat st {};
    say("stat", ::stat("socket", &st));
    say("a socket", S_ISSOCK(st.st_mode));
    say("open", ::open("socket", O_RDONLY));
    const int client = must(::socket(AF_UNIX, SOCK_STREAM, 0), "socket");
    say("connect", ::connect(client, at, sizeof(address)));
    const int served = must(::accept(server, nullptr, nullptr), "accept");
    char text[10] = {};
    say("write", ::write(client, "through", 7));
    say("read", ::read(served, text, sizeof(text)));
    for (const int fd : {server, client, served})
        ::close(fd);
    say("unlink", ::unlink("socket"));
}

}  // namespace fscheck
