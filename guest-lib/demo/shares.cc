// SPDX-License-Identifier: MIT
// What CPU time always-busy processes get while events of different priorities lie activated and unconsumed
// in their rings; during a storm of events from one process; and once the events are consumed.
#include <cstdio>

#include "guest-lib/demo/crowd.h"
#include "guest-lib/demo/demo.h"

namespace farcall::demo {

namespace {

constexpr const char* kUsage =
    "shares [--priorities P,P,...] [--plain N] [--storm] [--milliseconds MS] [--expect none|weighted] "
    "[--json]";
constexpr std::chrono::milliseconds kSettle(300);
constexpr double kLeastRatio = 1.15;  ///< between the shares of two whose weights lie a third apart or more

/// What the members do: "pending" holds its event, "storm" and "consumed" as said.
enum Phase : uint32_t { kPending, kStorm, kAfterStorm, kConsumed };
constexpr const char* kPhaseNames[] = {"pending", "storm", "after storm", "consumed"};

struct Member {
    std::string name;
    pid_t pid;
    int priority;  ///< of its event; -1: has none
};

struct Options {
    std::chrono::milliseconds time{};
    std::string expect;
    bool json = false;
};

struct Result {
    double share;
    Scheduling scheduling;
};

void post_nop(client::Channel& channel, uint64_t priority) {
    fc_command command;
    farcall_prep_nop(&command, 0);
    farcall_set_priority(&command, static_cast<fc_u8>(priority));
    client::check(farcall_post(channel.get(), &command), "posting");
}

/// Always busy, with one activated event until the phase in which it is consumed. Never sleeps on its
/// channel.
void busy(Crowd::Board& board, uint64_t priority) {
    client::Client client;
    client::Channel channel(client);
    post_nop(channel, priority);
    int rc = 0;
    while ((rc = farcall_wait(channel.get(), 0)) == -ETIME) {
    }
    client::check(rc, "waiting");
    board.ready++;
    while (board.phase != kConsumed) {
    }
    fc_event event;
    client::check(farcall_poll(channel.get(), &event, 1), "reading events");
    for (;;) {
    }
}

/// Always busy, and in the storm with as many events as it can get, each of them consumed at once.
void storm(Crowd::Board& board) {
    constexpr unsigned kAtOnce = 32;
    client::Client client;
    client::Channel channel(client);
    fc_event events[kAtOnce];
    board.ready++;
    for (;;) {
        if (board.phase != kStorm && farcall_in_flight(channel.get()) == 0) continue;
        while (board.phase == kStorm && farcall_in_flight(channel.get()) < kAtOnce)
            post_nop(channel, 1);
        client::check(farcall_poll(channel.get(), events, kAtOnce), "reading events");
    }
}

/// Always busy, and has nothing to do with farcall.
void plain_hog(Crowd::Board& board) {
    board.ready++;
    for (;;) {
    }
}

std::vector<int> parse_priorities(const std::string& text) {
    std::vector<int> out;
    for (size_t at = 0; at <= text.size();) {
        const size_t end = std::min(text.find(',', at), text.size());
        const std::string word = text.substr(at, end - at);
        char* rest = nullptr;
        const long value = std::strtol(word.c_str(), &rest, 10);
        if (word.empty() || *rest != '\0' || value < 0 || value > 255)
            throw Failure("--priorities: '" + word + "' is not between 0 and 255");
        out.push_back(static_cast<int>(value));
        at = end + 1;
    }
    return out;
}

/// Shares from its beginning on.
class Window {
  public:
    Window(Crowd& crowd, const std::vector<Member>& members, Phase phase) : crowd_(crowd), members_(members) {
        crowd.board().phase = phase;
        crowd.run_for(phase == kAfterStorm ? 3 * kSettle : kSettle);
        for (const Member& member : members)
            before_.push_back(cpu_ns(member.pid));
    }
    std::vector<Result> after(std::chrono::milliseconds time) {
        crowd_.run_for(time);
        std::vector<Result> out;
        double all = 0;
        for (size_t i = 0; i < members_.size(); i++) {
            const uint64_t used = cpu_ns(members_[i].pid) - before_[i];
            out.push_back({static_cast<double>(used), scheduling_of(members_[i].pid)});
            all += out.back().share;
        }
        for (Result& result : out)
            result.share /= all;
        return out;
    }

  private:
    Crowd& crowd_;
    const std::vector<Member>& members_;
    std::vector<uint64_t> before_;
};

void print(bool json, Phase phase, const std::vector<Member>& members, const std::vector<Result>& results) {
    for (size_t i = 0; i < members.size(); i++) {
        const Result& r = results[i];
        std::printf(json ? "{\"test\": \"shares\", \"phase\": \"%s\", \"process\": \"%s\", \"priority\": %d, "
                           "\"share\": %.4f, "
                           "\"nice\": %d, \"slice_us\": %llu}\n"
                         : "%-12s %-14s priority %3d: share %.3f, nice %3d, slice %llu us\n",
                    kPhaseNames[phase], members[i].name.c_str(), members[i].priority, r.share,
                    r.scheduling.nice, static_cast<unsigned long long>(r.scheduling.slice_us));
    }
    std::fflush(stdout);
}

/// What is not as the policy says; empty: nothing. The more priority, the more time, for every pair; and
/// without events everybody as before.
std::string complaint(const std::string& policy, Phase phase, const std::vector<Member>& members,
                      const std::vector<Result>& results, int own_nice) {
    const bool weighted = policy == "weighted" && phase != kConsumed;
    for (size_t i = 0; i < members.size(); i++) {
        if (!weighted && results[i].scheduling.nice != own_nice)
            return members[i].name + " has nice " + std::to_string(results[i].scheduling.nice);
        for (size_t j = 0; weighted && j < members.size(); j++) {
            if (members[i].priority < 0 || members[j].priority <= members[i].priority) continue;
            if (results[j].share <= results[i].share * kLeastRatio)
                return "'" + members[j].name + "' has no more than '" + members[i].name + "'";
        }
    }
    return "";
}

/// One phase. A machine that is itself short of time gives its guest turns of many milliseconds, which is
/// charged to whoever runs then: what is not as expected is looked at for longer.
bool run_phase(Crowd& crowd, const std::vector<Member>& members, Phase phase, const Options& options,
               int own_nice) {
    constexpr int kMostWindows = 5;
    Window window(crowd, members, phase);
    std::vector<Result> results = window.after(options.time);
    std::string problem;
    for (int i = 1; !options.expect.empty(); i++) {
        problem = complaint(options.expect, phase, members, results, own_nice);
        if (problem.empty() || i == kMostWindows) break;
        results = window.after(options.time);
    }
    print(options.json, phase, members, results);
    if (!problem.empty()) std::printf("%s in phase '%s'\n", problem.c_str(), kPhaseNames[phase]);
    return problem.empty();
}

}  // namespace

int shares(Arguments& arguments) {
    Options options;
    const std::vector<int> priorities =
        parse_priorities(arguments.option("--priorities").value_or("16,32,64"));
    const uint64_t plain = arguments.number("--plain", 0, 16);
    const bool with_storm = arguments.flag("--storm");
    options.time = std::chrono::milliseconds(arguments.number("--milliseconds", 2000, 600'000));
    options.expect = arguments.option("--expect").value_or("");
    options.json = arguments.flag("--json");
    arguments.rest(0, 0, kUsage);
    if (!options.expect.empty() && options.expect != "none" && options.expect != "weighted")
        throw Failure(kUsage);
    Crowd crowd;
    std::vector<Member> members;
    for (const int priority : priorities) {
        const auto work = [=](Crowd::Board& board) { busy(board, static_cast<uint64_t>(priority)); };
        members.push_back({"priority " + std::to_string(priority), crowd.add(work), priority});
    }
    if (with_storm) members.push_back({"storm", crowd.add(storm), -1});
    for (uint64_t i = 0; i < plain; i++)
        members.push_back({"plain", crowd.add(plain_hog), -1});
    crowd.wait_ready(static_cast<uint32_t>(members.size()));
    const int own_nice = scheduling_of(0).nice;
    bool good = true;
    for (const Phase phase : {kPending, kStorm, kAfterStorm, kConsumed}) {
        if (!with_storm && (phase == kStorm || phase == kAfterStorm)) continue;
        good &= run_phase(crowd, members, phase, options, own_nice);
    }
    return good ? 0 : 1;
}

}  // namespace farcall::demo
