// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <csignal>
#include <mutex>

namespace farcall::aem {

/// Handlers interrupt a thread in the middle of anything, so also in the middle of ours. Three rules make
/// that safe:
///
///  1. State is touched inside of a Section only. It takes a lock, against other threads, and it defers: a
///  signal that
///     arrives meanwhile on this thread is noted, and handlers run when the outermost Section ends. So a
///     handler never meets a lock that its own thread holds, be it ours, the client's, or malloc()'s when we
///     use malloc().
///  2. Nothing waits inside of a Section, and no handler runs inside of one.
///  3. What a handler may call uses no malloc(): tables are mmap()ed, channels and threads are made
///  elsewhere.
class Section {
  public:
    Section();
    ~Section();
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;
};

/// Defers without the lock: farcall_aem_hold().
void defer();
void undefer();

/// True while this thread calls handlers (or looks whether it should).
bool in_handler();

/// Sole right to call handlers, of one thread at a time. Who finds it taken leaves word; the one who has it
/// looks for that after giving it up. Both do "store mine, then load the other's" (all of them seq_cst), so
/// at least one sees the other.
class Running {
  public:
    /// False: somebody has it, and will look for events once more.
    bool acquire() {
        if (taken_.exchange(true) == false) return true;
        word_.store(true);
        return taken_.exchange(true) == false;
    }
    /// Before looking for events: word left earlier is answered by that.
    void answer() { word_.store(false); }
    /// True: word was left, acquire() again.
    bool release() {
        taken_.store(false);
        return word_.load();
    }
    /// Without leaving word.
    bool try_acquire() { return taken_.exchange(true) == false; }

  private:
    std::atomic<bool> taken_{false};
    std::atomic<bool> word_{false};
};

extern Running running;

/// Marks this thread as one that calls handlers.
class InHandler {
  public:
    InHandler();
    ~InHandler();
};

/// The signal's action: calls handlers, or notes that it should when the Section ends.
void on_signal(int signo, siginfo_t* info, void* context);
/// In a new process: nothing is held by anybody.
void reset_sections();

}  // namespace farcall::aem
