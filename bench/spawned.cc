// SPDX-License-Identifier: MIT
#include "bench/spawned.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <sstream>
#include <thread>

#include "host-lib/error.h"

namespace farcall::bench {
namespace {

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Pipe {
    UniqueFd read, write;
};

Pipe make_pipe() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) throw errno_error("cannot make a pipe");
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

constexpr size_t kKept = 2000;  // of what it said, for an error

}  // namespace

std::vector<char*> argv_of(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    return argv;
}

bool run_program(const std::vector<std::string>& words) {
    const std::vector<char*> argv = argv_of(words);
    pid_t pid = 0;
    if (const int error = posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ); error != 0)
        throw errno_error("cannot run " + words[0], error);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) throw errno_error("cannot wait for " + words[0]);
    return status == 0;
}

Spawned::Spawned(const std::vector<std::string>& words) : name_(words.at(0)) {
    Pipe in = make_pipe(), out = make_pipe();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.read.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDERR_FILENO);
    const std::vector<char*> argv = argv_of(words);
    const int error = posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw errno_error("cannot start " + name_, error);
    in_ = std::move(in.write);
    out_ = std::move(out.read);
}

Spawned::~Spawned() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

bool Spawned::read_some(double until) {
    pollfd look{out_.get(), POLLIN, 0};
    const double left = until - now();
    if (left <= 0) throw Error(fmt::format("{} took too long; it said: {}", name_, output_));
    if (poll(&look, 1, static_cast<int>(left * 1000) + 1) <= 0) return true;
    char text[4096];
    const ssize_t got = read(out_.get(), text, sizeof(text));
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    output_.append(text, static_cast<size_t>(got));
    if (output_.size() > 2 * kKept) output_.erase(0, output_.size() - kKept);
    return true;
}

void Spawned::await(std::string_view text, double seconds) {
    const double until = now() + seconds;
    while (output_.find(text) == output_.npos)
        if (!read_some(until))
            throw Error(fmt::format("{} ended before '{}'; it said: {}", name_, text, output_));
}

void Spawned::say(std::string_view text) const {
    if (write(in_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw errno_error("cannot write to " + name_);
}

int Spawned::finish(double seconds) {
    const double until = now() + seconds;
    while (read_some(until))
        continue;
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0)
        if (errno != EINTR) throw errno_error("cannot wait for " + name_);
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Footprint parse_smaps(std::string_view text) {
    std::istringstream lines{std::string(text)};
    uint64_t largest = 0, size = 0, rss = 0, all = 0, guest_pss = 0;
    Footprint result;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string name;
        uint64_t kib = 0;
        if (!(fields >> name >> kib)) continue;  // the head of a mapping, or flags
        if (name == "Size:") size = kib;
        if (name == "Rss:") rss = kib;
        if (name != "Pss:") continue;
        all += kib;
        if (size <= largest) continue;
        largest = size;
        guest_pss = kib;
        result.guest_bytes = rss * 1024;
    }
    result.other_bytes = (all - guest_pss) * 1024;
    return result;
}

}  // namespace farcall::bench
