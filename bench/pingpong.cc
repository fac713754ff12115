// SPDX-License-Identifier: MIT
#include "bench/pingpong.h"

#include <atomic>
#include <thread>

#include "bench/cores.h"
#include "bench/sampling.h"

namespace farcall::bench {
namespace {

struct Lines {
    alignas(128) std::atomic<uint32_t> there{0};
    alignas(128) std::atomic<uint32_t> back{0};
};

void wait_until(const std::atomic<uint32_t>& line, uint32_t value) {
    while (line.load(std::memory_order_acquire) != value)
        bench_pause();
}

/// With one line for both, odd values go there and even ones come back.
void reply(Lines& lines, bool same_line, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        wait_until(lines.there, 2 * i + 1);
        (same_line ? lines.there : lines.back).store(2 * i + 2, std::memory_order_release);
    }
}

}  // namespace

std::vector<uint32_t> pingpong(int peer_core, bool same_line, uint32_t count, uint32_t chunk) {
    Lines lines;
    std::thread peer([&] {
        pin_thread(peer_core);
        reply(lines, same_line, count);
    });
    const std::atomic<uint32_t>& back = same_line ? lines.there : lines.back;
    auto samples = sample_each(count / chunk, chunk, [&](uint32_t i) {
        lines.there.store(2 * i + 1, std::memory_order_release);
        wait_until(back, 2 * i + 2);
    });
    peer.join();
    return samples;
}

}  // namespace farcall::bench
