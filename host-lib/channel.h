// SPDX-License-Identifier: MIT
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <cstdint>

#include <deque>

#include <farcall/ring.h>

#include "host-lib/engine.h"
#include "host-lib/event_graph.h"
#include "host-lib/stats.h"

namespace farcall {

class Client;

/// What an event says beside the command's own words.
struct Completion {
    int32_t result = 0;
    uint8_t flags = 0;  ///< FC_E_*
    uint64_t picked_up = 0;
    uint32_t started_after = 0;
    uint32_t completed_after = 0;
};

/// Host side of one channel. Its indices live here, in private memory; the shared ones are only written, and
/// the client's are bounds-checked when they are read. Used by one worker.
class Channel {
  public:
    /// `config` has been checked: sizes, alignment, memory.
    Channel(ChannelId id, Client& client, ChannelConfig config, WorkerStats& stats);
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    ChannelId id() const { return id_; }
    Client& client() const { return client_; }
    bool timestamps() const { return event_size_ == sizeof(fc_event_ts); }
    bool healthy() const { return status_ == FC_CHANNEL_OK; }
    int doorbell_fd() const { return config_.doorbell_fd; }
    uint32_t command_slots() const { return command_mask_ + 1; }

    /// Is the next command there? One load of a line that the client writes.
    bool ready() const { return fc_command_ready(commands_, command_mask_, head_); }

    /// Worth a look after a doorbell: a command, or a tail that differs from what was consumed (it may be
    /// absurd), or event slots for a starved shot.
    bool has_news() {
        return ready() || fc_load_relaxed(&header_->command_tail) != head_ || (starved() && has_credit());
    }

    /// Copies the next command and takes it off the ring, and reserves an event slot for it. False: none, no
    /// event slot free, or poisoned.
    bool next(fc_command& copy) {
        if (!ready()) return false;
        if (!has_credit()) return false;
        fc_command_copy(commands_, command_mask_, head_, &copy);
        head_++;
        reserved_++;
        return true;
    }

    /// Reserves an event slot for a shot of a multishot command. False: none is free.
    bool reserve_shot() {
        if (!has_credit()) return false;
        reserved_++;
        return true;
    }
    /// Multishot commands wait in `hungry` for an event slot.
    bool starved() const { return !hungry.empty(); }
    bool has_credit() { return reserved_ != event_limit_ || refresh_credit(); }

    /// Completes a command that next() returned, or a shot: exactly once for each.
    void push_event(const fc_command& command, const Completion& completion);

    /// Publishes indices and raises the event interrupt if events since the last flush want it and the client
    /// is armed.
    void flush();

    /// Before the worker stops polling: arm, full barrier, re-check. True when the ring is still silent. May
    /// poison.
    bool arm();
    void disarm() { fc_disarm(&header_->worker_armed); }

    /// Marks the channel closed (FC_CHANNEL_CLOSED) or poisoned for the client to see, and wakes it.
    void close(fc_channel_status status);

    bool dirty = false;                  ///< in the worker's list of channels to flush
    bool hot = false;                    ///< polled by the worker
    std::deque<EventGraph::Ref> hungry;  ///< multishot commands that found no event slot, in order
    boost::intrusive::list_member_hook<> cold_link;  ///< in the worker's list of cold channels
    uint32_t silent_rounds = 0;                      ///< polls in a row that found nothing
    uint64_t silent_since =
        0;  ///< ns; valid when silent_rounds is large enough that the worker looked at the clock

  private:
    bool refresh_credit();
    void interrupt();
    void count_events();

    const ChannelId id_;
    Client& client_;
    ChannelConfig config_;
    WorkerStats& stats_;
    fc_ring_header* const header_;
    fc_command* const commands_;
    std::byte* const events_;
    const uint32_t command_mask_;
    const uint32_t event_mask_;
    const uint32_t event_size_;
    uint32_t head_ = 0;            ///< next command to consume
    uint32_t event_tail_ = 0;      ///< next event to produce
    uint32_t events_counted_ = 0;  ///< of those, in the statistics
    uint32_t reserved_ = 0;        ///< commands accepted since the beginning: each owns one event slot
    uint32_t event_limit_ = 0;     ///< reserved_ may grow up to this: the client's event head + slots
    bool wake_ = false;            ///< an event that is not quiet was pushed since the last flush
    fc_channel_status status_ = FC_CHANNEL_OK;
};

}  // namespace farcall
