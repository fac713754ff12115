// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include <farcall/abi.h>

namespace farcall {

class Channel;
class Client;

/// Reads that lie next to each other in a channel and go on where the one before ends in the file. They are
/// done by one system call, which costs little more than each of them would: a short read is mostly the
/// kernel's way to the page cache and back. Lives for one burst; between add() and finish() nothing else of
/// the client runs.
class ReadRun {
  public:
    ReadRun(Client& client, Channel& channel) : client_(client), channel_(channel) {}

    bool empty() const { return count_ == 0; }
    /// Takes a read that uses nothing of the event graph; it is not checked yet. Finishes the run first if
    /// the read does not continue it.
    void add(const fc_command& command);
    /// Does and completes all of them, in order.
    void finish();

  private:
    static constexpr uint32_t kMost = 16;

    uint32_t read_together();

    Client& client_;
    Channel& channel_;
    uint32_t count_ = 0;
    uint64_t end_ = 0;    ///< file offset behind the last one
    uint64_t bytes_ = 0;  ///< of all
    std::array<fc_command, kMost> commands_;
};

}  // namespace farcall
