// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <farcall/farcall.hpp>

namespace farcall::init {

/// Commands of the session by user data.
enum Tag : uint64_t { kTagIn = 1, kTagOut, kTagErr, kTagControl, kTagLog, kTagTrace };

/// Carries one of the command's output streams to a host stream: reads what is there, posts one write, waits
/// for its event. One write at a time keeps the order.
class OutputPump {
  public:
    static constexpr uint32_t kBytes = 64 << 10;

    OutputPump(client::Client& client, client::Channel& channel, int fd, uint32_t handle, Tag tag);
    ~OutputPump();
    OutputPump(const OutputPump&) = delete;
    OutputPump& operator=(const OutputPump&) = delete;

    int fd() const { return fd_; }
    Tag tag() const { return tag_; }
    bool busy() const { return busy_; }
    bool finished() const { return fd_ < 0 && !busy_; }
    /// True when the descriptor should be watched for input.
    bool wants_input() const { return fd_ >= 0 && !busy_; }
    /// The descriptor is readable or hung up.
    void on_readable();
    /// The write's event.
    void on_event(int result);

  private:
    void post();
    void close();

    client::Channel& channel_;
    client::Buffer buffer_;
    int fd_;
    const uint32_t handle_;
    const Tag tag_;
    uint32_t filled_ = 0;
    uint32_t sent_ = 0;
    bool busy_ = false;
};

/// Carries the host's input stream to the command.
class InputPump {
  public:
    static constexpr uint32_t kBytes = 64 << 10;

    /// terminal: the end of the input is a control character, not a closed descriptor.
    InputPump(client::Client& client, client::Channel& channel, int fd, bool terminal);
    ~InputPump();
    InputPump(const InputPump&) = delete;
    InputPump& operator=(const InputPump&) = delete;

    int fd() const { return fd_; }
    /// True when the descriptor should be watched for room.
    bool wants_room() const { return fd_ >= 0 && written_ < filled_; }
    void start() { post(); }
    void on_writable();
    void on_hang_up() { close(); }
    void on_event(int result);

  private:
    void post();
    void close();

    client::Channel& channel_;
    client::Buffer buffer_;
    int fd_;
    const bool terminal_;
    uint32_t filled_ = 0;
    uint32_t written_ = 0;
    bool ended_ = false;
};

}  // namespace farcall::init
