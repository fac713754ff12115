// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include <farcall/farcall.hpp>

#include "host-lib/engine.h"
#include "host-lib/local_server.h"
#include "host-lib/unique_fd.h"

namespace farcall::test {

using namespace std::chrono_literals;

/// A directory with two shares, `ro` and `rw`, and a socket's path.
class LocalDirectory {
  public:
    LocalDirectory() {
        char name[] = "/tmp/farcall-local-XXXXXX";
        path_ = mkdtemp(name);
        std::filesystem::permissions(path_, std::filesystem::perms(0755));
        for (const char* share : {"ro", "rw"})
            std::filesystem::create_directory(path_ + "/" + share);
        std::ofstream(path_ + "/ro/hello") << "hello\n";
        std::filesystem::create_symlink("/etc/passwd", path_ + "/ro/escape");
    }
    ~LocalDirectory() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }
    std::string socket() const { return path_ + "/socket"; }
    std::string where() const { return "unix:" + socket(); }

  private:
    std::string path_;
};

/// Engine, domain and local server.
struct LocalHost {
    Engine engine;
    std::unique_ptr<Domain> domain;
    std::optional<LocalServer> server;

    explicit LocalHost(const LocalDirectory& directory, LocalServerConfig config = {},
                       const StreamConfig& streams = {}, const EngineConfig& engine_options = engine_config())
        : engine(engine_options) {
        DomainConfig domain_config;
        domain_config.name = "local";
        domain_config.shares = {{directory.path() + "/ro", false}, {directory.path() + "/rw", true}};
        domain_config.streams = streams;
        domain = engine.create_domain(std::move(domain_config));
        config.path = directory.socket();
        server.emplace(*domain, config);
    }
    static EngineConfig engine_config() {
        EngineConfig config;
        config.spin = 20us;
        return config;
    }
};

inline bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 500; i++) {
        if (condition()) return true;
        std::this_thread::sleep_for(10ms);
    }
    return condition();
}

/// Runs `body` in a child; its return value becomes the exit status. The child never runs the test's
/// destructors.
template <typename Body>
pid_t in_child(Body body) {
    const pid_t pid = fork();
    if (pid == 0) _exit(body());
    return pid;
}

inline int exit_status(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/// Posts one command and waits for its result; -ETIME after 10 s.
inline int run(client::Channel& channel, const fc_command& command) {
    if (const int rc = farcall_post(channel.get(), &command); rc < 0) return rc;
    fc_event event{};
    for (;;) {
        const int count = farcall_poll(channel.get(), &event, 1);
        if (count != 0) return count < 0 ? count : event.result;
        if (const int rc = farcall_wait(channel.get(), 10'000'000'000); rc < 0) return rc;
    }
}

inline int run_nop(client::Channel& channel, uint32_t result) {
    fc_command command;
    farcall_prep_nop(&command, result);
    return run(channel, command);
}

inline int open_path(client::Client& client, client::Channel& channel, uint32_t share,
                     const std::string& path, unsigned flags) {
    const client::Buffer buffer(client, path.size());
    path.copy(reinterpret_cast<char*>(buffer.data()), path.size());
    fc_command command;
    farcall_prep_open(&command, share, buffer.region(), buffer.offset(), static_cast<uint32_t>(path.size()),
                      flags, 0644);
    return run(channel, command);
}

}  // namespace farcall::test
