// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/echo_loops.h"
#include "host-lib/unique_fd.h"

namespace farcall::bench {

/// A server of echo_loops.h in a process of its own.
class EchoServer {
  public:
    /// Forks: before this process has threads. The server does nothing until start().
    EchoServer(const EchoSetup& setup, int core);
    /// Ends the process.
    ~EchoServer();
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;

    /// where: of the local server, as farcall_open() takes it. Throws farcall::Error.
    void start(const std::string& where);
    uint16_t port() const { return port_; }

  private:
    [[noreturn]] void serve(EchoSetup setup, int core) const;

    pid_t pid_ = -1;
    UniqueFd control_;
    uint16_t port_ = 0;
};

/// A connection to this port of the loopback address that sends at once. Throws farcall::Error.
UniqueFd connect_to_echo(uint16_t port);

/// Sends so many messages one after the other, after one that is not counted, and awaits the echo of each:
/// their round trips, in ticks. Throws farcall::Error when the server goes away.
std::vector<uint32_t> exchange_messages(int fd, uint32_t bytes, uint32_t messages);

}  // namespace farcall::bench
