// SPDX-License-Identifier: MIT
#include "host-lib/readiness.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host-lib/client.h"

namespace farcall {
namespace {

constexpr int kTriesPerRun = 16;    ///< commands of one line that are tried before others come
constexpr int kPollersPerRun = 64;  ///< commands that only poll
constexpr uint32_t kReadEvents = EPOLLIN | EPOLLRDHUP | EPOLLPRI;
constexpr uint32_t kBothSides = EPOLLERR | EPOLLHUP;

uint32_t events_of(ReadyWaiter::Side side) {
    return side == ReadyWaiter::Side::kRead ? kReadEvents : static_cast<uint32_t>(EPOLLOUT);
}

}  // namespace

// --- ReadyWaiter ---

ReadyWaiter::~ReadyWaiter() {
    if (watch_ == nullptr || !is_linked()) return;
    const bool was_first = &watch_->lines_[Watch::index(side_)].front() == this;
    unlink();
    watch_->left(*this, was_first);
}

bool ReadyWaiter::may_shoot() {
    if (hungry_) return false;
    hungry_ = !client_.can_shoot(ref_);
    return !hungry_;
}

void ReadyWaiter::on_credit() {
    hungry_ = false;
    look_again();
}

void ReadyWaiter::look_again() {
    if (watch_ == nullptr) return;
    watch_->news_ = true;
    watch_->schedule(side_);
}

// --- Watch ---

Watch::Watch(Readiness& readiness, int fd) : readiness_(readiness), fd_(fd), id_(++readiness.next_) {
    readiness_.watches_[id_] = this;
}

void Watch::detach() {
    if (fd_ < 0) return;
    if (armed_ != 0) {
        epoll_ctl(readiness_.epoll_, EPOLL_CTL_DEL, fd_, nullptr);
        readiness_.armed_--;
    }
    readiness_.watches_.erase(id_);
    fd_ = -1;
}

// Adding and modifying report what holds already, so nothing is missed in between.
int Watch::arm(uint32_t events) {
    if ((armed_ & events) == events) return 0;
    epoll_event event{};
    event.events = armed_ | events | EPOLLET;
    event.data.u64 = Readiness::kTag | id_;
    const int op = armed_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(readiness_.epoll_, op, fd_, &event) < 0) return -errno;
    if (armed_ == 0) readiness_.armed_++;
    armed_ |= events;
    return 0;
}

// A socket that changes while nobody waits for it must not wake the worker for ever.
void Watch::disarm(uint32_t events) {
    if (fd_ < 0 || (armed_ & events) == 0) return;
    armed_ &= ~events;
    epoll_event event{};
    event.events = armed_ | EPOLLET;
    event.data.u64 = Readiness::kTag | id_;
    epoll_ctl(readiness_.epoll_, armed_ == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, fd_, &event);
    if (armed_ == 0) readiness_.armed_--;
}

uint32_t Watch::unwanted(uint32_t events) const {
    if (!idle(Side::kPoll)) return 0;
    if (idle(Side::kRead) && idle(Side::kWrite)) return armed_;
    const uint32_t unread = idle(Side::kRead) ? kReadEvents : 0u;
    const uint32_t unwritten = idle(Side::kWrite) ? static_cast<uint32_t>(EPOLLOUT) : 0u;
    // An error or the end is reported for any interest, so whatever interest is left has to go.
    return (events & kBothSides) ? unread | unwritten : events & (unread | unwritten);
}

void Watch::add(ReadyWaiter& waiter, EventGraph::Ref ref, uint32_t events) {
    waiter.ref_ = ref;
    waiter.watch_ = shared_from_this();
    waiter.events_ = events;
    waiter.round_ = round_;
    lines_[index(waiter.side_)].push_back(waiter);
}

void Watch::left(const ReadyWaiter& waiter, bool was_first) {
    // The next in line may have waited for nothing but this one.
    if (was_first && waiter.side_ != Side::kPoll && !idle(waiter.side_)) schedule(waiter.side_);
}

uint8_t Watch::priority() const {
    uint8_t most = 0;
    for (const Line& line : lines_)
        if (!line.empty()) most = std::max(most, line.front().priority_);
    return most;
}

void Watch::schedule(Side side) {
    if (fd_ < 0) return;
    if (side != Side::kPoll) pending_ |= events_of(side);
    if (scheduled_) return;
    scheduled_ = true;
    readiness_.scheduled_.push(shared_from_this(), priority());
}

void Watch::run() {
    const uint32_t events = std::exchange(pending_, 0);
    const bool hung_up = events & kBothSides;
    if (hung_up || (events & kReadEvents)) run_line(Side::kRead);
    if (hung_up || (events & EPOLLOUT)) run_line(Side::kWrite);
    run_pollers();
}

void Watch::run_line(Side side) {
    Line& line = lines_[index(side)];
    for (int i = 0; i < kTriesPerRun && !line.empty(); i++) {
        ReadyWaiter& first = line.front();
        const ReadyWaiter::Outcome outcome = first.retry(0);
        if (outcome.kind == ReadyWaiter::Outcome::Kind::kWait) return;
        if (outcome.kind == ReadyWaiter::Outcome::Kind::kAgain) break;
        line.pop_front();
        first.client_.resume(first.ref_, outcome.result, outcome.event_flags);  // destroys it
    }
    if (!line.empty()) schedule(side);
}

// Each poller once in a round, however many runs that takes; one look at the descriptor serves all of a run.
void Watch::run_pollers() {
    Line& line = lines_[index(Side::kPoll)];
    if (line.empty() || fd_ < 0) return;
    const bool between_rounds = line.front().round_ == round_;
    if (between_rounds) {
        round_++;
        news_ = false;
    }
    pollfd look{fd_, static_cast<short>(~0), 0};
    if (poll(&look, 1, 0) < 0) return;
    const auto ready = static_cast<uint32_t>(static_cast<uint16_t>(look.revents));
    for (int i = 0; i < kPollersPerRun && !line.empty() && line.front().round_ != round_; i++) {
        ReadyWaiter& first = line.front();
        line.pop_front();
        first.round_ = round_;
        const ReadyWaiter::Outcome outcome = first.retry(ready);
        if (outcome.kind == ReadyWaiter::Outcome::Kind::kDone) {
            first.client_.resume(first.ref_, outcome.result, outcome.event_flags);
        } else {
            line.push_back(first);
        }
    }
    // Those at the front have not had their turn; or all have, some of them before the latest event.
    if (!line.empty() && (line.front().round_ != round_ || news_)) schedule(Side::kPoll);
}

void Watch::finish_all(int64_t result) {
    for (Line& line : lines_) {
        while (!line.empty()) {
            ReadyWaiter& first = line.front();
            line.pop_front();
            first.client_.resume(first.ref_, result);
        }
    }
}

// --- Readiness ---

void Readiness::on_event(uint64_t data, uint32_t events) {
    auto found = watches_.find(data & ~kTag);
    if (found == watches_.end()) return;  // closed by an earlier event of the same look
    const std::shared_ptr<Watch> watch = found->second->shared_from_this();
    if (const uint32_t unwanted = watch->unwanted(events)) watch->disarm(unwanted);
    watch->pending_ |= events;
    watch->news_ = true;
    if (watch->fd_ >= 0) watch->schedule(ReadyWaiter::Side::kPoll);
}

bool Readiness::run() {
    if (scheduled_.empty()) return false;
    // What they schedule anew has its turn in the next round.
    for (ReadyQueue<std::shared_ptr<Watch>> round = std::exchange(scheduled_, {}); !round.empty();) {
        const std::shared_ptr<Watch> watch = round.pop();
        watch->scheduled_ = false;
        watch->run();
    }
    return true;
}

std::shared_ptr<Watch> Readiness::borrowed(int fd) {
    std::shared_ptr<Watch> watch = borrowed_[fd].lock();
    if (watch == nullptr) {
        watch = std::make_shared<Watch>(*this, fd);
        borrowed_[fd] = watch;
    }
    return watch;
}

int64_t suspend_on(Client& client, Task& task, Watch& watch, std::unique_ptr<ReadyWaiter> waiter,
                   uint32_t events, bool now) {
    ReadyWaiter& waits = *waiter;
    if (waits.side() != ReadyWaiter::Side::kPoll) events = events_of(waits.side());
    if (int err = watch.arm(events)) return err;
    const int64_t result = client.suspend(task, std::move(waiter));
    if (result != kPending) return result;
    waits.priority_ = task.cmd.priority;
    watch.add(waits, client.graph().ref(task.node), events);
    if (now) watch.schedule(waits.side());
    return kPending;
}

}  // namespace farcall
