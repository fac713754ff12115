// SPDX-License-Identifier: MIT
// Where the time of commands goes, for `farcall bench vm`: lines of what this side and the host saw of each.
//   round
//   timed KIND POSTED SEEN PICKED-UP STARTED COMPLETED
//   plain KIND TICKS
//   counts KIND OPERATIONS DOORBELLS SLEEPS VM-EXITS
// POSTED, SEEN and TICKS: time-stamp counter; PICKED-UP and what follows: as in struct fc_event_ts. plain: a
// call of this process.
#include <fcntl.h>
#include <unistd.h>
#include <x86intrin.h>

#include <cinttypes>
#include <cstdio>
#include <functional>

#include "guest-lib/demo/requests.h"

namespace farcall::demo {

namespace {

constexpr uint32_t kReadBytes = 4096;
constexpr useconds_t kUntilAsleep = 2000;

uint64_t ticks() {
    _mm_lfence();  // what was waited for is over
    return __rdtsc();
}

enum class Waits { kPolls, kSleeps };

class Timed {
  public:
    explicit Timed(client::Client& client) : client_(client), channel_(client, 0, 0, FC_CHANNEL_TIMESTAMPS) {}

    /// `count` commands, one at a time. worker_sleeps: each comes when the host has stopped polling.
    void run(const char* kind, uint32_t count, const fc_command& command, Waits waits, bool worker_sleeps) {
        if (!worker_sleeps) trip(nullptr, command, Waits::kPolls);
        const Activity before = Activity::now(client_, channel_);
        for (uint32_t i = 0; i < count; i++) {
            if (worker_sleeps) ::usleep(kUntilAsleep);
            trip(kind, command, waits);
        }
        const Activity spent = Activity::now(client_, channel_).since(before);
        std::printf("counts %s %" PRIu32 " %llu %llu %" PRIu32 "\n", kind, count,
                    static_cast<unsigned long long>(spent.counters.doorbells),
                    static_cast<unsigned long long>(spent.counters.sleeps), spent.vm_exits);
    }

  private:
    void trip(const char* kind, const fc_command& command, Waits waits) {
        fc_event_ts event;
        const uint64_t posted = ticks();
        client::check(farcall_post(channel_.get(), &command), "posting");
        int count = 0;
        while ((count = farcall_poll_ts(channel_.get(), &event, 1)) == 0) {
            if (waits == Waits::kSleeps)
                client::check(farcall_wait(channel_.get(), 10'000'000'000), "waiting");
            else
                _mm_pause();
        }
        const uint64_t seen = ticks();
        client::check(count, "reading events");
        if (event.event.result < 0) throw Failure(error_text(event.event.result));
        if (kind != nullptr)
            std::printf("timed %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu32 "\n", kind,
                        posted, seen, uint64_t{event.picked_up}, event.started_after, event.completed_after);
    }

    client::Client& client_;
    client::Channel channel_;
};

void plain(const char* kind, uint32_t count, const std::function<bool(uint32_t)>& call) {
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t before = ticks();
        if (!call(i)) throw Failure(std::string(kind) + " failed");
        std::printf("plain %s %" PRIu64 "\n", kind, ticks() - before);
    }
}

/// A descriptor for reading, closed on destruction.
class File {
  public:
    explicit File(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (fd_ < 0) throw Failure("cannot open " + path);
    }
    ~File() { ::close(fd_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    bool read(char* to) const { return ::pread(fd_, to, kReadBytes, 0) == kReadBytes; }

  private:
    int fd_;
};

}  // namespace

int timed(Arguments& arguments) {
    const auto rounds = static_cast<uint32_t>(arguments.number("--rounds", 10, 10'000));
    const auto words = arguments.rest(3, 3, "timed [--rounds N] FILE MOUNTED-FILE LOCAL-FILE");
    client::Client client;
    Requests requests(client);
    const client::Buffer buffer(client, kReadBytes);
    fc_command nop, read;
    farcall_prep_nop(&nop, 0);
    farcall_prep_read(&read, handle_of(words[0], open_file(requests, words[0], FC_OPEN_READ)), 0,
                      buffer.region(), buffer.offset(), kReadBytes);
    Timed timed(client);
    const File mounted(words[1]), local(words[2]);
    std::vector<char> memory(kReadBytes);
    for (uint32_t round = 0; round < rounds; round++) {
        std::printf("round\n");
        timed.run("nop", 500, nop, Waits::kPolls, false);
        timed.run("read_4k", 200, read, Waits::kPolls, false);
        timed.run("nop_client_sleeps", 20, nop, Waits::kSleeps, false);
        timed.run("nop_worker_sleeps", 10, nop, Waits::kPolls, true);
        timed.run("nop_both_sleep", 10, nop, Waits::kSleeps, true);
        plain("call_getppid", 200, [](uint32_t) { return ::getppid() >= 0; });
        plain("call_read_4k_local", 200, [&](uint32_t) { return local.read(memory.data()); });
        plain("call_read_4k_mounted", 100, [&](uint32_t) { return mounted.read(memory.data()); });
    }
    std::printf("end\n");
    return 0;
}

}  // namespace farcall::demo
