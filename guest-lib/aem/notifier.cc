// SPDX-License-Identifier: MIT
#include "guest-lib/aem/notifier.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

#include "guest-lib/aem/arm.h"
#include "guest-lib/aem/forker.h"
#include "guest-lib/aem/section.h"

namespace farcall::aem {

namespace {

constexpr int kRetryMs = 10;  ///< until a fork that failed is tried again

int install(int signo, struct sigaction* before) {
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    // The signal stays blocked while handlers run: they would only leave word. Calls that were interrupted go
    // on.
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&action.sa_mask);
    return ::sigaction(signo, &action, before) < 0 ? -errno : 0;
}

}  // namespace

Notifier& notifier() {
    static Notifier one;
    return one;
}

int Notifier::start(int signo) {
    signo_ = signo;
    process_ = ::getpid();
    interrupted_ = static_cast<pid_t>(::syscall(SYS_gettid));
    stopping_ = false;
    grow_ = false;
    word_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (word_ < 0) return -errno;
    if (signo == 0) return 0;
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return -errno;
    if (int rc = watch(word_); rc < 0) return rc;
    if (int rc = install(signo, &before_); rc < 0) return rc;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask_);
    const int rc = pthread_create(&thread_, nullptr, thread, this);
    sigset_t open = mask_;
    sigdelset(&open, signo);
    pthread_sigmask(SIG_SETMASK, &open, nullptr);
    if (rc == 0) return 0;
    ::sigaction(signo, &before_, nullptr);
    signo_ = 0;
    return -rc;
}

void Notifier::stop() {
    if (signo_ != 0) {
        stopping_ = true;
        wake();
        pthread_join(thread_, nullptr);
        // A signal that is still on its way must not meet the default action, which ends the process.
        struct sigaction ignore {};
        ignore.sa_handler = SIG_IGN;
        ::sigaction(signo_, &ignore, nullptr);
        ::sigaction(signo_, &before_, nullptr);
    }
    forget();
}

void Notifier::forget() {
    for (int* fd : {&epoll_, &word_}) {
        if (*fd >= 0) ::close(*fd);
        *fd = -1;
    }
    signo_ = 0;
}

int Notifier::watch(int fd) {
    if (epoll_ < 0) return 0;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = fd;
    return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void Notifier::wake() {
    const uint64_t one = 1;
    static_cast<void>(!::write(word_, &one, sizeof(one)));  // full means that it is readable
}

void Notifier::take_word() {
    uint64_t ignored = 0;
    static_cast<void>(!::read(word_, &ignored, sizeof(ignored)));
}

void Notifier::raise() {
    if (signo_ != 0)
        signal_now();
    else
        wake();
}

void Notifier::grow() {
    grow_ = true;
    wake();
}

void Notifier::signal_now() {
    // EAGAIN: the user's queue of signals is full. Giving up would lose a wake-up; any signal of this kind
    // that is pending would do, but it may be another's.
    while (::syscall(SYS_tgkill, process_, interrupted_, signo_) < 0 && errno == EAGAIN) {
        const timespec little{0, 1'000'000};
        ::nanosleep(&little, nullptr);
    }
}

void Notifier::serve_growth() {
    if (!grow_.exchange(false)) return;
    const Section section;
    static_cast<void>(add_channel());  // whoever needs one and finds none tries again
}

void* Notifier::thread(void* self) {
    pthread_setname_np(pthread_self(), "farcall-aem");
    static_cast<Notifier*>(self)->loop();
    return nullptr;
}

void Notifier::loop() {
    int timeout = -1;
    while (!stopping_) {
        epoll_event events[16];
        const int count = ::epoll_wait(epoll_, events, 16, timeout);
        bool interrupt = false;
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == word_)
                take_word();
            else
                interrupt = true;
        }
        if (stopping_) return;
        if (interrupt) signal_now();
        serve_growth();
        timeout = serve_forks() ? -1 : kRetryMs;
    }
}

}  // namespace farcall::aem
