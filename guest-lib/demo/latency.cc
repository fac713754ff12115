// SPDX-License-Identifier: MIT
// Round trips with one command in flight, the client polling.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "guest-lib/demo/demo.h"

namespace farcall::demo {

namespace {

constexpr uint32_t kReadBytes = 4096;

struct Summary {
    uint64_t p50, p99, p999;
};

Summary summarize(std::vector<uint64_t>& samples) {
    std::sort(samples.begin(), samples.end());
    const auto at = [&](double part) {
        return samples[static_cast<size_t>(part * static_cast<double>(samples.size() - 1))];
    };
    return {at(0.5), at(0.99), at(0.999)};
}

/// One command and its event; throws on an error. Polls without sleeping: this is about the ring, not the
/// scheduler.
void round_trip(client::Channel& channel, const fc_command& command) {
    client::check(farcall_post(channel.get(), &command), "posting");
    fc_event event;
    int count = 0;
    while ((count = farcall_poll(channel.get(), &event, 1)) == 0) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    client::check(count, "reading events");
    if (event.result < 0) throw Failure(error_text(event.result));
}

template <typename Prepare>
Summary measure(client::Channel& channel, uint64_t count, Prepare prepare) {
    using Clock = std::chrono::steady_clock;
    std::vector<uint64_t> samples(count);
    const uint64_t warm_up = std::min<uint64_t>(count, 1000);
    for (uint64_t i = 0; i < warm_up + count; i++) {
        const fc_command command = prepare(i);
        const auto start = Clock::now();
        round_trip(channel, command);
        const auto end = Clock::now();
        if (i < warm_up) continue;
        samples[i - warm_up] =
            static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count());
    }
    return summarize(samples);
}

void print(bool json, const char* name, uint64_t count, const Summary& summary, const char* end) {
    const auto ull = [](uint64_t value) { return static_cast<unsigned long long>(value); };
    if (json) {
        std::printf("\"%s\": {\"count\": %llu, \"p50_ns\": %llu, \"p99_ns\": %llu, \"p99_9_ns\": %llu}%s",
                    name, ull(count), ull(summary.p50), ull(summary.p99), ull(summary.p999), end);
    } else {
        std::printf("%s: %llu round trips, p50 %llu ns, p99 %llu ns, p99.9 %llu ns\n", name, ull(count),
                    ull(summary.p50), ull(summary.p99), ull(summary.p999));
    }
}

}  // namespace

int latency(Arguments& arguments) {
    const uint64_t nops = arguments.number("--nops", 100'000, 100'000'000);
    const uint64_t reads = arguments.number("--reads", 100'000, 100'000'000);
    const bool json = arguments.flag("--json");
    const auto paths = arguments.rest(1, 1, "latency [--nops N] [--reads N] [--json] FILE");
    client::Client client;
    client::Channel channel(client);
    Variable handle(client);
    const PathBuffer path(client, parse_path(paths[0]));
    const int opened = perform(channel, path.open(FC_OPEN_READ, 0, handle.index()));
    if (opened < 0) throw Failure(paths[0] + ": " + error_text(opened));
    const client::Buffer buffer(client, kReadBytes);
    const client::Buffer stat(client, sizeof(fc_stat));
    fc_command command;
    farcall_prep_stat(&command, static_cast<uint32_t>(opened), stat.region(), stat.offset());
    if (const int rc = perform(channel, command); rc < 0) throw Failure(paths[0] + ": " + error_text(rc));
    const uint64_t pages =
        std::max<uint64_t>(reinterpret_cast<const fc_stat*>(stat.data())->size / kReadBytes, 1);

    const Summary nop = measure(channel, nops, [](uint64_t) {
        fc_command prepared;
        farcall_prep_nop(&prepared, 0);
        return prepared;
    });
    const Summary read = measure(channel, reads, [&](uint64_t i) {
        fc_command prepared;
        farcall_prep_read(&prepared, static_cast<uint32_t>(opened), i % pages * kReadBytes, buffer.region(),
                          buffer.offset(), kReadBytes);
        return prepared;
    });
    if (json) std::printf("{");
    print(json, "nop", nops, nop, ", ");
    print(json, "read_4k", reads, read, "}\n");
    return 0;
}

}  // namespace farcall::demo
