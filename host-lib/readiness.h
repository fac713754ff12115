// SPDX-License-Identifier: MIT
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "host-lib/event_graph.h"
#include "host-lib/ready_queue.h"
#include "host-lib/waiter.h"

namespace farcall {

class Client;
class Readiness;
class Watch;

/// A suspended command that waits for a descriptor to become ready.
class ReadyWaiter
    : public Waiter,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    /// What a command of this kind does at the descriptor. Readers wait in one line, writers in another; who
    /// only polls waits in neither.
    enum class Side : uint8_t { kRead, kWrite, kPoll };

    /// What retry() came to.
    struct Outcome {
        enum class Kind : uint8_t { kWait, kAgain, kDone };
        Kind kind;
        int64_t result = 0;
        uint8_t event_flags = 0;

        /// The descriptor is not ready.
        static Outcome wait() { return {Kind::kWait}; }
        /// There is more to do at once, but others come first.
        static Outcome again() { return {Kind::kAgain}; }
        static Outcome done(int64_t result, uint8_t event_flags = 0) {
            return {Kind::kDone, result, event_flags};
        }
    };

    ReadyWaiter(Client& client, Side side) : client_(client), side_(side) {}
    ~ReadyWaiter() override;

    /// Tries again; bounded work, never blocks. `ready`: POLL* bits that hold now, for Side::kPoll only.
    virtual Outcome retry(uint32_t ready) = 0;
    Side side() const { return side_; }
    /// Event slots are there again: looks at the descriptor as if it had become ready.
    void on_credit() override;

  protected:
    Client& client() const { return client_; }
    EventGraph::Ref ref() const { return ref_; }
    /// Has retry() called in the worker's next round.
    void look_again();
    /// A multishot command may take one more thing from the descriptor; else it has to wait().
    bool may_shoot();

  private:
    friend class Watch;
    friend int64_t suspend_on(Client& client, struct Task& task, Watch& watch,
                              std::unique_ptr<ReadyWaiter> waiter, uint32_t events, bool now);
    Client& client_;
    EventGraph::Ref ref_{};
    std::shared_ptr<Watch> watch_;
    uint32_t round_ = 0;   ///< of the watch, when a poller was last looked at
    uint32_t events_ = 0;  ///< EPOLL* bits that it was registered for
    Side side_;
    uint8_t priority_ = 0;
    bool hungry_ = false;
};

/// Who waits for one descriptor, and its one registration in the worker's epoll. Edge-triggered: a command is
/// tried first and waits only after EAGAIN, so that a command on a busy socket costs no epoll_ctl().
///
/// Readers are served in the order in which they came, and so are writers: what comes later never overtakes.
class Watch : public std::enable_shared_from_this<Watch> {
  public:
    using Side = ReadyWaiter::Side;

    /// Borrows `fd`, until detach() or its own end.
    Watch(Readiness& readiness, int fd);
    ~Watch() { detach(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// Nobody waits on this side: a new command may be tried at once.
    bool idle(Side side) const { return lines_[index(side)].empty(); }

    /// Completes all commands that wait with `result`.
    void finish_all(int64_t result);

    /// Before the descriptor is closed.
    void detach();

  private:
    friend class Readiness;
    friend class ReadyWaiter;
    using Line = boost::intrusive::list<ReadyWaiter, boost::intrusive::constant_time_size<false>>;

    static size_t index(Side side) { return static_cast<size_t>(side); }
    friend int64_t suspend_on(Client& client, struct Task& task, Watch& watch,
                              std::unique_ptr<ReadyWaiter> waiter, uint32_t events, bool now);
    /// Registers for more EPOLL* bits. 0, or -errno.
    int arm(uint32_t events);
    /// Registers for less: what was reported while nobody waited for it.
    void disarm(uint32_t events);
    uint32_t unwanted(uint32_t events) const;
    void add(ReadyWaiter& waiter, EventGraph::Ref ref, uint32_t events);
    /// Has run() called in the worker's next round, for one side.
    void schedule(Side side);
    /// Tries commands of the lines that `pending_` concerns. Bounded work.
    void run();
    /// Of the most important of those who are first in line.
    uint8_t priority() const;
    void run_line(Side side);
    void run_pollers();
    void left(const ReadyWaiter& waiter, bool was_first);

    Readiness& readiness_;
    int fd_;
    uint64_t id_;
    Line lines_[3];
    uint32_t armed_ = 0;    ///< EPOLL* bits of the registration; 0: none
    uint32_t pending_ = 0;  ///< EPOLL* bits that run() has to look at
    uint32_t round_ = 0;
    bool scheduled_ = false;
    bool news_ = false;  ///< an event came in the middle of a round of the pollers
};

/// The descriptors that one worker watches for its clients' commands. Used by the worker only.
class Readiness {
  public:
    /// Data of a watch's epoll events: this bit, and the number of the watch.
    static constexpr uint64_t kTag = 1ull << 63;

    /// `epoll_fd` outlives this object.
    explicit Readiness(int epoll_fd) : epoll_(epoll_fd) {}

    /// An epoll event with kTag: has the watch run.
    void on_event(uint64_t data, uint32_t events);
    /// One run of each watch that was scheduled, those of higher priority first. False: none was.
    bool run();
    bool scheduled() const { return !scheduled_.empty(); }
    /// At least one descriptor is registered, so epoll is worth looking at.
    bool interested() const { return armed_ > 0; }

    /// The watch of a descriptor that is not the engine's own (a stream): one for all who wait for it.
    std::shared_ptr<Watch> borrowed(int fd);

  private:
    friend class Watch;
    const int epoll_;
    uint64_t next_ = 0;
    uint32_t armed_ = 0;
    std::unordered_map<uint64_t, Watch*> watches_;
    std::unordered_map<int, std::weak_ptr<Watch>> borrowed_;
    ReadyQueue<std::shared_ptr<Watch>> scheduled_;
};

/// Suspends a command until `watch` is ready for it. `events`: EPOLL* bits, for Side::kPoll. `now`: look at
/// once, without an event. Returns kPending, or -errno (-ENOSPC, -ENOMEM).
int64_t suspend_on(Client& client, struct Task& task, Watch& watch, std::unique_ptr<ReadyWaiter> waiter,
                   uint32_t events, bool now);

}  // namespace farcall
