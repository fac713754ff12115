// SPDX-License-Identifier: MIT
#include "bench/timer_bench.h"

#include <string>

#include "bench/sampling.h"

namespace farcall::bench {
namespace {

constexpr uint32_t kCounts[] = {1000, 100000, 1000000};
constexpr uint32_t kChunk = 64;
constexpr uint32_t kChunks = 64;

std::string name_of(uint32_t count) {
    return "timer_put_off_among_" + std::to_string(count);
}

}  // namespace

TimerBench::TimerBench(Results& results) : results_(results) {
    for (const uint32_t count : kCounts) {
        Crowd& crowd = crowds_.emplace_back();
        crowd.count = count;
        for (uint32_t i = 0; i < count; i++)
            crowd.handles.push_back(crowd.queue.add({somewhen(), 1, TimerQueue::Kind::kWaiter, {i, i}}));
    }
}

void TimerBench::round() {
    for (Crowd& crowd : crowds_) {
        auto samples = sample_each(kChunks, kChunk, [&](uint32_t i) {
            TimerQueue::Handle& handle = crowd.handles[random_() % crowd.count];
            crowd.queue.remove(handle);
            handle = crowd.queue.add({somewhen(), 1, TimerQueue::Kind::kWaiter, {i, i}});
        });
        results_.add(name_of(crowd.count), std::move(samples), kChunk);
    }
}

void TimerBench::add_ratios() {
    for (const uint32_t count : {kCounts[1], kCounts[2]})
        results_.add_ratio(name_of(count), name_of(kCounts[0]), "flat, but for cache misses");
}

}  // namespace farcall::bench
