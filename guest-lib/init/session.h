// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

#include "guest-lib/init/child.h"
#include "guest-lib/init/config.h"
#include "guest-lib/init/pump.h"

namespace farcall::init {

/// Runs the configured command with its streams connected to the host's, until it has ended and its output is
/// out.
class Session {
  public:
    /// sole: we are PID 1, so whatever still runs when the command has ended may be killed. Throws
    /// std::system_error.
    Session(client::Client& client, const Config& config, bool sole);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// The command's exit status, 128 + signal if one killed it. Throws std::system_error when the host is
    /// gone.
    int run();
    /// Copies the kernel log to the host. After run().
    void send_kernel_log();

  private:
    void start();
    void start_trace();
    void drain_trace();
    void copy_summary();
    void watch_all();
    void watch(int fd, uint32_t events);
    void handle(int fd, uint32_t events);
    void read_events();
    void on_event(const fc_event& event);
    void post_control();
    void on_control(int result);
    void reap();
    bool finished() const;

    client::Client& client_;
    const Config& config_;
    const bool sole_;
    client::Channel channel_;
    client::Buffer control_;
    client::Buffer log_;
    Child child_;
    int signals_ = -1;
    std::optional<InputPump> in_;
    std::optional<OutputPump> out_;
    std::optional<OutputPump> err_;
    std::optional<OutputPump> trace_;
    std::vector<std::pair<int, uint32_t>> watched_;
    std::optional<int> status_;
    int log_result_ = 0;
    bool log_done_ = false;
};

}  // namespace farcall::init
