// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "guest-lib/demo/demo.h"

namespace farcall::demo {

/// A channel whose commands are told apart by their event IDs, for programs that have several under way. One
/// thread.
class Requests {
  public:
    explicit Requests(client::Client& client) : client_(client), channel_(client) {}

    /// Posts it with an event ID, its own (FC_F_ID) or a fresh one. Returns that.
    uint64_t post(fc_command command);
    uint64_t fresh_id();
    /// The next event of that command, a shot or its end. Throws Failure when none comes for 20 s.
    fc_event next(uint64_t id);
    /// The next event of any command.
    fc_event next();
    /// The command's result; passes over its shots.
    int result(uint64_t id);
    int run(const fc_command& command) { return result(post(command)); }
    /// No event of that command has come yet.
    bool silent(uint64_t id);
    /// Sleeps on a timer of the host.
    void sleep(uint64_t ns);

    client::Client& client() { return client_; }
    client::Channel& channel() { return channel_; }

  private:
    void collect(int64_t timeout_ns);

    client::Client& client_;
    client::Channel channel_;
    std::deque<fc_event> arrived_;
};

/// Throws Failure, which says what was wanted, unless both are equal.
void expect(const std::string& what, int64_t got, int64_t wanted);
/// The handle, or Failure.
uint32_t handle_of(const std::string& what, int result);

/// Shared memory with text in it: a path, or two that are split by a NUL.
class Text {
  public:
    Text(client::Client& client, std::string_view text);
    uint32_t region() const { return buffer_.region(); }
    uint64_t offset() const { return buffer_.offset(); }
    uint32_t length() const { return static_cast<uint32_t>(buffer_.size()); }

  private:
    client::Buffer buffer_;
};

/// Opens a file of a share; its handle, or -errno.
int open_file(Requests& requests, std::string_view path, unsigned flags, unsigned mode = 0644);

}  // namespace farcall::demo
