// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <string>

#include "tests/file_client.h"

namespace farcall::test {

/// Shares with traps: 0, writable; 1, another one; 2, the same as 0 but read-only. A client with stdout, a
/// pipe that nobody reads. At the end nothing outside of the shares has changed.
class FileRig : public ::testing::Test {
  protected:
    FileRig() {
        for (const char* name : {"share", "share/sub", "other", "outside"})
            std::filesystem::create_directory(dir_.path() / name);
        dir_.write("secret", "outside");
        dir_.write("share/inside", "inside");
        std::filesystem::create_symlink("../outside", dir_.path() / "share/relative");
        std::filesystem::create_symlink(dir_.path() / "outside", dir_.path() / "share/absolute");
        EXPECT_EQ(mkfifo((dir_.path() / "share/fifo").c_str(), 0600), 0);
        int pipe_fds[2];
        EXPECT_EQ(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
        pipe_out_.reset(pipe_fds[0]);
        pipe_in_.reset(pipe_fds[1]);
        DomainConfig config;
        config.shares.push_back({(dir_.path() / "share").string(), true});
        config.shares.push_back({(dir_.path() / "other").string(), true});
        config.shares.push_back({(dir_.path() / "share").string(), false});
        config.limits.max_handles = 8;
        config.streams.out = pipe_in_.get();
        domain_ = engine_.create_domain(config);
        client_ =
            std::make_unique<TestClient>(*domain_, TestClient::Options{.client_flags = FC_CLIENT_STREAMS});
        files_ = std::make_unique<FileClient>(*client_);
    }
    ~FileRig() override {
        EXPECT_EQ(client_->run(nop(1, 1)).result, 1);
        EXPECT_EQ(dir_.read("secret"), "outside");
        EXPECT_TRUE(std::filesystem::is_empty(dir_.path() / "outside"));
    }
    uint32_t add_region(size_t bytes, uint32_t flags) {
        RegionConfig region{{{client_->map(bytes), bytes}}, flags, nullptr};
        const ControlResult added =
            TestClient::call([&](ControlDone done) { domain_->add_region(client_->id(), region, done); });
        EXPECT_EQ(added.status, 0);
        return static_cast<uint32_t>(added.value);
    }
    uint32_t inside() { return files_->must_open(0, "inside", FC_OPEN_READ | FC_OPEN_WRITE); }

    TempDir dir_;
    UniqueFd pipe_out_, pipe_in_;
    Engine engine_{EngineConfig{.blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
    std::unique_ptr<TestClient> client_;
    std::unique_ptr<FileClient> files_;
};

}  // namespace farcall::test
