// SPDX-License-Identifier: MIT
#include "guest-lib/init/session.h"

#include <farcall/init.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

namespace farcall::init {

namespace {

constexpr uint32_t kControlRecords = 16;
constexpr uint32_t kLogBytes = 64 << 10;
/// How long output may stand still, once the command has ended, before what still holds its streams is
/// ignored.
constexpr int kQuietMs = 500;
constexpr int kSyslogReadAll = 3;
constexpr int kSyslogSize = 10;

}  // namespace

Session::Session(client::Client& client, const Config& config, bool sole)
    : client_(client),
      config_(config),
      sole_(sole),
      channel_(client, 16, 32),
      control_(client, kControlRecords * sizeof(fc_init_record)),
      log_(client, kLogBytes) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    client::check(signals_ < 0 ? -errno : 0, "signalfd");
}

Session::~Session() {
    ::close(signals_);
}

/// Ours is a writer, too: the FIFO never ends, so that any process may open it at any time.
void Session::start_trace() {
    if (config_.trace.empty()) return;
    const char* path = config_.trace.c_str();
    if (::mkfifo(path, 0622) < 0 || ::chmod(path, 0622) < 0) client::check(-errno, path);
    const int fifo = ::open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    client::check(fifo < 0 ? -errno : 0, path);
    trace_.emplace(client_, channel_, fifo, FC_HANDLE_STDERR, kTagTrace);
}

/// Copies what is there, until there is no more.
void Session::drain_trace() {
    while (trace_) {
        if (trace_->wants_input()) trace_->on_readable();
        if (!trace_->busy()) return;
        const int rc = farcall_wait(channel_.get(), 5'000'000'000);
        if (rc < 0 && rc != -EINTR) return;
        read_events();
    }
}

/// After the trace: in its place, so that there is memory for it.
void Session::copy_summary() {
    const int file = config_.summary.empty() ? -1 : ::open(config_.summary.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    trace_.emplace(client_, channel_, file, FC_HANDLE_STDERR, kTagTrace);
    drain_trace();
}

void Session::start() {
    start_trace();
    client::check(start_child(config_, child_), "can't start the command");
    in_.emplace(client_, channel_, child_.in, config_.terminal);
    out_.emplace(client_, channel_, child_.out, FC_HANDLE_STDOUT, kTagOut);
    if (child_.err >= 0) err_.emplace(client_, channel_, child_.err, FC_HANDLE_STDERR, kTagErr);
    in_->start();
    post_control();
}

bool Session::finished() const {
    return status_ && out_->finished() && (!err_ || err_->finished());
}

void Session::watch(int fd, uint32_t events) {
    watched_.emplace_back(fd, events);
}

void Session::watch_all() {
    watched_.clear();
    watch(signals_, POLLIN);
    watch(farcall_channel_fd(channel_.get()), POLLIN);
    if (out_->wants_input()) watch(out_->fd(), POLLIN);
    if (err_ && err_->wants_input()) watch(err_->fd(), POLLIN);
    if (in_->wants_room()) watch(in_->fd(), POLLOUT);
    if (trace_ && trace_->wants_input()) watch(trace_->fd(), POLLIN);
}

int Session::run() {
    start();
    while (!finished()) {
        read_events();
        const int armed = client::check(farcall_channel_arm(channel_.get()), "the host is gone");
        if (armed == 1) continue;
        watch_all();
        pollfd entries[8];
        for (size_t i = 0; i < watched_.size(); i++) {
            entries[i] = {watched_[i].first, static_cast<short>(watched_[i].second), 0};
        }
        const int count = ::poll(entries, watched_.size(), status_ ? kQuietMs : -1);
        if (count == 0 && !out_->busy() && !(err_ && err_->busy())) break;
        for (size_t i = 0; count > 0 && i < watched_.size(); i++) {
            if (entries[i].revents != 0) handle(entries[i].fd, static_cast<uint32_t>(entries[i].revents));
        }
    }
    drain_trace();
    copy_summary();
    return *status_;
}

void Session::handle(int fd, uint32_t events) {
    if (fd == signals_) {
        reap();
    } else if (fd == out_->fd()) {
        out_->on_readable();
    } else if (err_ && fd == err_->fd()) {
        err_->on_readable();
    } else if (trace_ && fd == trace_->fd()) {
        trace_->on_readable();
    } else if (fd == in_->fd()) {
        // On a pipe a hang-up means that nobody will read.
        if ((events & POLLERR) != 0)
            in_->on_hang_up();
        else
            in_->on_writable();
    }
}

void Session::read_events() {
    fc_event events[16];
    int count = 0;
    while ((count = client::check(farcall_poll(channel_.get(), events, 16), "the host is gone")) > 0) {
        for (int i = 0; i < count; i++)
            on_event(events[i]);
    }
}

void Session::on_event(const fc_event& event) {
    switch (event.id) {
        case kTagIn:
            in_->on_event(event.result);
            break;
        case kTagOut:
            out_->on_event(event.result);
            break;
        case kTagErr:
            err_->on_event(event.result);
            break;
        case kTagTrace:
            trace_->on_event(event.result);
            break;
        case kTagControl:
            on_control(event.result);
            break;
        case kTagLog:
            log_result_ = event.result;
            log_done_ = true;
            break;
        default:
            break;
    }
}

void Session::post_control() {
    fc_command command;
    farcall_prep_read(&command, FC_HANDLE_CONTROL, FC_OFFSET_CURRENT, control_.region(), control_.offset(),
                      static_cast<uint32_t>(control_.size()));
    farcall_set_data(&command, kTagControl);
    farcall_post(channel_.get(), &command);
}

void Session::on_control(int result) {
    // No control stream, or its end: the command runs on without.
    if (result <= 0) return;
    for (size_t at = 0; at + sizeof(fc_init_record) <= static_cast<size_t>(result);
         at += sizeof(fc_init_record)) {
        fc_init_record record;
        std::memcpy(&record, control_.data() + at, sizeof(record));
        if (record.type == FC_INIT_SIGNAL && record.a > 0 && record.a < NSIG && !status_) {
            ::kill(-child_.pid, static_cast<int>(record.a));
        } else if (record.type == FC_INIT_WINDOW && config_.terminal && in_->fd() >= 0) {
            winsize size{};
            size.ws_row = static_cast<unsigned short>(record.a);
            size.ws_col = static_cast<unsigned short>(record.b);
            ::ioctl(in_->fd(), TIOCSWINSZ, &size);
        }
    }
    post_control();
}

void Session::reap() {
    signalfd_siginfo ignored[8];
    while (::read(signals_, ignored, sizeof(ignored)) > 0) {
    }
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != child_.pid) continue;
        status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        // The VM ends with its command: what the command left behind must not hold its streams open.
        if (sole_) ::kill(-1, SIGKILL);
    }
}

void Session::send_kernel_log() {
    const int size = ::klogctl(kSyslogSize, nullptr, 0);
    if (size <= 0) return;
    const auto text = std::make_unique<char[]>(static_cast<size_t>(size));
    const int bytes = ::klogctl(kSyslogReadAll, text.get(), size);
    for (int at = 0; at < bytes;) {
        const auto length = std::min<uint32_t>(static_cast<uint32_t>(bytes - at), kLogBytes);
        std::memcpy(log_.data(), text.get() + at, length);
        fc_command command;
        farcall_prep_write(&command, FC_HANDLE_LOG, FC_OFFSET_CURRENT, log_.region(), log_.offset(), length);
        farcall_set_data(&command, kTagLog);
        log_done_ = false;
        if (farcall_post(channel_.get(), &command) < 0) return;
        while (!log_done_) {
            const int rc = farcall_wait(channel_.get(), 5'000'000'000);
            if (rc < 0 && rc != -EINTR) return;
            read_events();
        }
        if (log_result_ <= 0) return;
        at += log_result_;
    }
}

}  // namespace farcall::init
