// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <farcall/abi.h>

namespace farcall {

class Channel;
class Client;
struct File;

/// Short reads that lie side by side in a channel. They are taken off the ring together, so that their cache
/// lines come from the client's core together; those that go on where the one before ends in the file are one
/// system call, which costs little more than each of them would: a short read is mostly the kernel's way to
/// the page cache and back; and their events are written together. Lives for one burst; between add() and
/// finish() nothing else of the client runs.
class ReadBatch {
  public:
    ReadBatch(Client& client, Channel& channel) : client_(client), channel_(channel) {}

    bool empty() const { return count_ == 0; }
    /// Takes a read that uses nothing of the event graph; it is not checked yet. Finishes the batch first if
    /// it is full.
    void add(const fc_command& command);
    /// Does and completes all of them, in order.
    void finish();

  private:
    static constexpr uint32_t kMost = 16;

    bool copy_mapped(uint32_t index);
    uint32_t run_length(uint32_t first) const;
    uint32_t read_together(uint32_t first, uint32_t count);

    Client& client_;
    Channel& channel_;
    uint32_t count_ = 0;
    uint64_t bytes_ = 0;            ///< of all
    const File* sized_ = nullptr;   ///< the file whose size, since all of them were posted, is size_
    std::optional<uint64_t> size_;  ///< nothing: it can't be told
    std::array<fc_command, kMost> commands_;
    std::array<int64_t, kMost> results_;  ///< kPending: its event comes later
};

}  // namespace farcall
