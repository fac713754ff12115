// SPDX-License-Identifier: MIT
// How late the handler of an event starts while others want the processor: from the host's time stamp of the
// event's completion to the handler's first instruction. The events are timers on the host, each of them
// waited for asleep; the others are hogs, or processes with events and handlers of their own.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <utility>

#include "guest-lib/demo/crowd.h"
#include "guest-lib/demo/demo.h"

namespace farcall::demo {

namespace {

constexpr const char* kUsage =
    "wakeup [--hogs N] [--rivals N] [--rival-priority P] [--count N] [--period-us US] [--priority P] "
    "[--json [--samples]]";
constexpr uint64_t kRivalPeriodUs =
    8000;  ///< with 1 to 5 ms of work each: three of them are more than one CPU
constexpr int kWarmUp = 5;
constexpr std::pair<double, const char*> kParts[] = {
    {0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p999"}, {1.0, "max"}};
constexpr uint64_t kRivalWorkLeastUs = 1000, kRivalWorkMostUs = 5000;

int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

int64_t completed_at(const fc_event_ts& event) {
    return static_cast<int64_t>(event.picked_up) + event.completed_after;
}

fc_event_ts take(client::Channel& channel) {
    fc_event_ts event;
    const int count = farcall_poll_ts(channel.get(), &event, 1);
    client::check(count, "reading events");
    if (count != 1) throw Failure("no event where one was announced");
    if (event.event.result < 0) throw Failure(error_text(event.event.result));
    return event;
}

/// The host's clock by ours: what to add to a time stamp of the host. From round trips of a command that
/// takes no time: its completion lies between our two looks at our clock, and the closest two say it best.
struct ClockRelation {
    int64_t at = 0;      ///< our clock
    int64_t offset = 0;  ///< ours minus the host's
    int64_t error = 0;   ///< at most that much off
};

ClockRelation relate_clocks(client::Channel& channel) {
    constexpr int kRounds = 2000;
    fc_command command;
    farcall_prep_nop(&command, 0);
    ClockRelation best;
    for (int i = 0; i < kRounds; i++) {
        const int64_t before = now_ns();
        client::check(farcall_post(channel.get(), &command), "posting");
        farcall_set_spin(channel.get(), 1'000'000'000);
        client::check(farcall_wait(channel.get(), -1), "waiting");
        const int64_t after = now_ns();
        const int64_t host = completed_at(take(channel));
        const int64_t error = (after - before) / 2;
        if (i != 0 && error >= best.error) continue;
        best = {before, before + error - host, error};
    }
    farcall_set_spin(channel.get(), 0);
    return best;
}

/// How long this thread has been ready to run without running, since it began, as the kernel counts it.
class RunDelay {
  public:
    RunDelay() : fd_(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {
        if (fd_ < 0) throw Failure("cannot open /proc/thread-self/schedstat");
    }
    ~RunDelay() { ::close(fd_); }
    RunDelay(const RunDelay&) = delete;
    RunDelay& operator=(const RunDelay&) = delete;
    uint64_t ns() const {
        char text[80] = {};
        uint64_t ran = 0, waited = 0;
        if (::pread(fd_, text, sizeof(text) - 1, 0) < 0 ||
            std::sscanf(text, "%" SCNu64 " %" SCNu64, &ran, &waited) != 2)
            throw Failure("/proc/thread-self/schedstat says nothing: this kernel does not count");
        return waited;
    }

  private:
    int fd_;
};

struct Sample {
    int64_t completed;  ///< host's clock
    int64_t started;    ///< ours
    uint64_t waited;    ///< ns from the wake-up until it ran: the scheduler's part of the way
};

Sample one_event(client::Channel& channel, const RunDelay& delay, uint64_t period_us, uint64_t priority) {
    fc_command command;
    farcall_prep_timer(&command, period_us * 1000, 0);
    farcall_set_priority(&command, static_cast<fc_u8>(priority));
    client::check(farcall_post(channel.get(), &command), "posting");
    const uint64_t before = delay.ns();
    client::check(farcall_wait(channel.get(), -1), "waiting");
    const int64_t started = now_ns();
    const uint64_t after = delay.ns();
    return {completed_at(take(channel)), started, after - before};
}

/// A process whose handler works for 1 to 5 ms, event after event.
void rival(Crowd::Board& board, uint64_t number, uint64_t priority) {
    client::Client client;
    client::Channel channel(client, 0, 0, FC_CHANNEL_TIMESTAMPS);
    const RunDelay delay;
    Sequence random(number + 100);
    board.ready++;
    for (;;) {
        one_event(channel, delay, 1000 + random.below(2 * kRivalPeriodUs - 2000), priority);
        const uint64_t work = kRivalWorkLeastUs + random.below(kRivalWorkMostUs - kRivalWorkLeastUs);
        work_for(std::chrono::microseconds(work));
    }
}

struct Options {
    uint64_t hogs, rivals, rival_priority, count, period_us, priority;
    bool json, samples;
};

/// In ns, sorted.
struct Latencies {
    std::vector<uint64_t> late;    ///< from the event's completion to the handler
    std::vector<uint64_t> waited;  ///< of that, ready to run and not running
    int64_t clock_error = 0;
};

/// The two clocks run at slightly different speeds, so they are compared before and
/// after, while nobody disturbs, and what lies between is interpolated.
Latencies measure(const Options& options) {
    std::vector<Sample> samples(options.count);
    ClockRelation first, last;
    {
        client::Client client;
        client::Channel channel(client, 0, 0, FC_CHANNEL_TIMESTAMPS);
        first = relate_clocks(channel);
    }
    {
        Crowd crowd;
        crowd.add_hogs(options.hogs);
        for (uint64_t i = 0; i < options.rivals; i++)
            crowd.add([&](Crowd::Board& board) { rival(board, i, options.rival_priority); });
        crowd.wait_ready(static_cast<uint32_t>(options.hogs + options.rivals));
        client::Client client;
        client::Channel channel(client, 0, 0, FC_CHANNEL_TIMESTAMPS);
        const RunDelay delay;
        Sequence random(1);
        // Nobody is weighted before it has slept for an event.
        for (int i = 0; i < kWarmUp; i++)
            one_event(channel, delay, options.period_us, options.priority);
        for (Sample& sample : samples)
            sample = one_event(channel, delay, options.period_us / 2 + random.below(options.period_us),
                               options.priority);
    }
    client::Client client;
    client::Channel channel(client, 0, 0, FC_CHANNEL_TIMESTAMPS);
    last = relate_clocks(channel);
    Latencies out;
    out.clock_error = std::max(first.error, last.error);
    for (const Sample& sample : samples) {
        const double part =
            static_cast<double>(sample.started - first.at) / static_cast<double>(last.at - first.at);
        const int64_t offset =
            first.offset + static_cast<int64_t>(part * static_cast<double>(last.offset - first.offset));
        out.late.push_back(
            static_cast<uint64_t>(std::max<int64_t>(sample.started - sample.completed - offset, 0)));
        out.waited.push_back(sample.waited);
    }
    std::sort(out.late.begin(), out.late.end());
    std::sort(out.waited.begin(), out.waited.end());
    return out;
}

void print_list(const char* name, const std::vector<uint64_t>& values) {
    std::printf(", \"%s\": [", name);
    for (size_t i = 0; i < values.size(); i++)
        std::printf("%s%.1f", i == 0 ? "" : ", ", static_cast<double>(values[i]) / 1e3);
    std::printf("]");
}

void print_json(const Options& options, const Latencies& found) {
    std::printf("{\"test\": \"wakeup\", \"hogs\": %u, \"rivals\": %u, \"priority\": %u, \"count\": %u",
                static_cast<unsigned>(options.hogs), static_cast<unsigned>(options.rivals),
                static_cast<unsigned>(options.priority), static_cast<unsigned>(options.count));
    for (const auto& [name, values] : {std::pair{"", &found.late}, std::pair{"waited_", &found.waited}})
        for (const auto& [part, key] : kParts)
            std::printf(", \"%s%s_us\": %.1f", name, key, static_cast<double>(quantile(*values, part)) / 1e3);
    std::printf(", \"clock_error_us\": %.2f", static_cast<double>(found.clock_error) / 1e3);
    if (options.samples) {
        print_list("late_us", found.late);
        print_list("waited_us", found.waited);
    }
    std::printf("}\n");
}

void print_text(const Options& options, const Latencies& found) {
    std::printf("%u hogs, %u rivals, priority %u: %u events (clocks known to %.2f us)\n",
                static_cast<unsigned>(options.hogs), static_cast<unsigned>(options.rivals),
                static_cast<unsigned>(options.priority), static_cast<unsigned>(options.count),
                static_cast<double>(found.clock_error) / 1e3);
    for (const auto& [name, values] : {std::pair{"handler late by", &found.late},
                                       std::pair{"of that, waiting for the processor", &found.waited}}) {
        std::printf("%s:", name);
        for (const auto& [part, key] : kParts)
            std::printf(" %s %.0f us", key, static_cast<double>(quantile(*values, part)) / 1e3);
        std::printf("\n");
    }
}

}  // namespace

int wakeup(Arguments& arguments) {
    Options options{};
    options.hogs = arguments.number("--hogs", 0, 64);
    options.rivals = arguments.number("--rivals", 0, 64);
    options.rival_priority = arguments.number("--rival-priority", 16, 255);
    options.count = arguments.number("--count", 500, 1'000'000);
    options.period_us = arguments.number("--period-us", 5000, 1'000'000);
    options.priority = arguments.number("--priority", 128, 255);
    options.json = arguments.flag("--json");
    options.samples = arguments.flag("--samples");
    arguments.rest(0, 0, kUsage);
    if (options.count == 0 || options.period_us == 0)
        throw Failure("--count and --period-us must be at least 1");
    const Latencies found = measure(options);
    if (options.json)
        print_json(options, found);
    else
        print_text(options, found);
    return 0;
}

}  // namespace farcall::demo
