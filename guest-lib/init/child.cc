// SPDX-License-Identifier: MIT
#include "guest-lib/init/child.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace farcall::init {

namespace {

constexpr int kSetupFailed = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

/// The command's ends of its streams.
struct Ends {
    int in = -1;
    int out = -1;
    int err = -1;
};

int make_pipes(Child& child, Ends& ends) {
    int in[2], out[2], err[2];
    if (::pipe2(in, O_CLOEXEC) < 0 || ::pipe2(out, O_CLOEXEC) < 0 || ::pipe2(err, O_CLOEXEC) < 0)
        return -errno;
    child.in = in[1];
    child.out = out[0];
    child.err = err[0];
    ends = {in[0], out[1], err[1]};
    // Only our ends: the command gets ordinary blocking pipes.
    for (int fd : {child.in, child.out, child.err})
        ::fcntl(fd, F_SETFL, O_NONBLOCK);
    return 0;
}

int make_terminal(const Config& config, Child& child, Ends& ends) {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0) return -errno;
    char name[64];
    if (::grantpt(master) < 0 || ::unlockpt(master) < 0 || ::ptsname_r(master, name, sizeof(name)) != 0)
        return -errno;
    const int slave = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) return -errno;
    // The command may want to open its terminal by name.
    if (::fchown(slave, config.user, static_cast<gid_t>(-1)) < 0 && errno != EPERM) return -errno;
    winsize size{};
    size.ws_row = config.rows;
    size.ws_col = config.columns;
    ::ioctl(slave, TIOCSWINSZ, &size);
    child.in = master;
    child.out = ::fcntl(master, F_DUPFD_CLOEXEC, 0);
    ends = {slave, slave, slave};
    return child.out < 0 ? -errno : 0;
}

[[noreturn]] void fail(const std::string& what, int error, int status) {
    std::fprintf(stderr, "farcall: %s: %s\n", what.c_str(), std::strerror(error));
    ::_exit(status);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (const std::string& string : strings)
        result.push_back(const_cast<char*>(string.c_str()));
    result.push_back(nullptr);
    return result;
}

void become_user(const Config& config) {
    if (::getuid() != 0) return;  // outside a VM, in tests
    if (::setgroups(0, nullptr) < 0 || ::setgid(config.group) < 0 || ::setuid(config.user) < 0) {
        fail("can't become user " + std::to_string(config.user), errno, kSetupFailed);
    }
}

[[noreturn]] void run_command(const Config& config, const Ends& ends) {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::setsid();
    ::dup2(ends.in, 0);
    ::dup2(ends.out, 1);
    ::dup2(ends.err, 2);
    if (config.terminal) ::ioctl(0, TIOCSCTTY, 0);
    if (::chdir(config.directory.c_str()) < 0) fail(config.directory, errno, kSetupFailed);
    become_user(config);
    std::vector<char*> environment = pointers(config.environment);
    std::vector<char*> arguments = pointers(config.arguments);
    environ = environment.data();
    ::execvp(arguments[0], arguments.data());
    const int error = errno;
    if (error == ENOENT && std::strchr(arguments[0], '/') == nullptr) {
        std::fprintf(stderr, "farcall: %s: command not found\n", arguments[0]);
        ::_exit(kNotFound);
    }
    fail(arguments[0], error, error == ENOENT || error == ENOTDIR ? kNotFound : kNotExecutable);
}

}  // namespace

int start_child(const Config& config, Child& out) {
    Ends ends;
    const int rc = config.terminal ? make_terminal(config, out, ends) : make_pipes(out, ends);
    if (rc < 0) return rc;
    out.pid = ::fork();
    if (out.pid < 0) return -errno;
    if (out.pid == 0) run_command(config, ends);
    ::close(ends.in);
    if (ends.out != ends.in) {
        ::close(ends.out);
        ::close(ends.err);
    }
    return 0;
}

}  // namespace farcall::init
