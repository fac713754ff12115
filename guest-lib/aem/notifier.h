// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <atomic>
#include <csignal>

namespace farcall::aem {

/// Says that there is something: the host's interrupt arrives at a channel's descriptor, and somebody has to
/// turn that into a signal for the thread that handlers interrupt. Here a thread does, which sleeps in epoll
/// on all channels; where the descriptor itself can raise the signal (fasync), start() and watch() are the
/// places to ask for that instead.
///
/// No wake-up is lost and none is raised in vain more than once per round:
///  - The host interrupts a channel only when it is armed, and disarms it first. Only drain() arms, after it
///  has read
///    everything, and it looks once more behind that (the ring's rule, PROTOCOL.md section 5). So between two
///    rounds there is at most one interrupt per channel, however many events come: a storm costs one signal
///    for each round.
///  - Each interrupt makes an edge on the descriptor (edge-triggered epoll: nobody needs to read it here),
///  and each return
///    of epoll_wait() a signal *after* it. An edge that came while the thread was busy is in the next return;
///    one that was merged with another is answered by a signal that is sent later than both, and a round that
///    begins later still.
///  - A signal that finds a round under way leaves word (Running), one that finds a Section is owed at its
///  end.
///  - A round that begins without a signal (dispatch, word) may take what an edge told of: then its signal
///  finds nothing.
///
/// In a program with FARCALL_AEM_DISPATCH there is no thread and no signal; raise() makes farcall_dispatch()
/// look.
class Notifier {
  public:
    /// The caller is the thread that is interrupted, by `signo`; 0: none, dispatch only.
    int start(int signo);
    /// No signal comes after this.
    void stop();
    /// In a new process: closes what was inherited.
    void forget();

    int watch(int fd);
    /// Handlers have to be called, although no interrupt says so. Async-signal-safe.
    void raise();
    /// One more channel is wanted soon. Async-signal-safe.
    void grow();
    /// A process is to be made. Async-signal-safe.
    void wake();
    /// Readable after raise(), where there is no signal.
    int word_fd() const { return word_; }
    void take_word();
    /// Does what grow() asked for.
    void serve_growth();
    bool growth_wanted() const { return grow_.load(); }
    int signo() const { return signo_; }
    /// The signals that were blocked in the thread that called start().
    const sigset_t& mask() const { return mask_; }

  private:
    static void* thread(void* self);
    void loop();
    void signal_now();

    int signo_ = 0;
    pid_t process_ = 0;
    pid_t interrupted_ = 0;
    int epoll_ = -1;
    int word_ = -1;  ///< eventfd: for our thread, or for farcall_dispatch()
    std::atomic<bool> stopping_{false};
    std::atomic<bool> grow_{false};
    struct sigaction before_ {};
    sigset_t mask_{};
    pthread_t thread_{};
};

Notifier& notifier();

}  // namespace farcall::aem
