// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "host-lib/engine.h"
#include "host-lib/local_socket.h"
#include "host-lib/unique_fd.h"

namespace farcall {

/// Answers requests for statistics on a Unix socket (SOCK_STREAM, mode 0600): one line, `stats json` or
/// `stats prometheus`; the answer, or `error: ` and a sentence; end. One connection at a time, each for a
/// bounded time, on a thread of its own that exists from the start, so that it works in a sandbox.
class StatsServer {
  public:
    /// The engine must outlive the server. Throws farcall::Error, see ListeningSocket.
    StatsServer(const Engine& engine, const std::string& path);
    ~StatsServer();
    StatsServer(const StatsServer&) = delete;
    StatsServer& operator=(const StatsServer&) = delete;

  private:
    void run();
    void serve(const UniqueFd& connection);
    std::string answer(const std::string& request) const;
    bool wait_for(int fd, short events, int timeout_ms) const;

    const Engine& engine_;
    ListeningSocket listener_;
    UniqueFd wake_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace farcall
