// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "host-lib/engine.h"

namespace farcall {

/// The client serials of one domain, which are the high bits of event IDs, and who has them now. Any thread.
///
/// A serial is given out again after kRest others were freed, and the numbers under it go on where the last
/// client stopped: an event ID names one command in the whole life of the domain, whatever clients come and
/// go, and a domain does not run out of serials. What a client may wait for is kept by ClientId, so a later
/// client with the same serial inherits no permission.
class SerialTable {
  public:
    struct Taken {
        uint32_t serial;
        uint64_t first_number;  ///< of its event IDs; a multiple of FC_ID_BLOCK
    };
    /// Nothing when all serials are in use.
    std::optional<Taken> take();
    /// The client that took the serial exists now.
    void set_client(uint32_t serial, ClientId client);
    /// 0: nobody.
    ClientId client(uint32_t serial) const;
    /// The client is gone; it was given numbers below `next_number`.
    void give_back(uint32_t serial, uint64_t next_number);

    static constexpr size_t kRest = 4096;

  private:
    struct Slot {
        uint64_t next_number;
        ClientId client;
    };
    mutable std::mutex mutex_;
    std::vector<Slot> slots_;     ///< of serial index + 1
    std::deque<uint32_t> freed_;  ///< oldest first
};

}  // namespace farcall
