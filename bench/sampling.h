// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "bench/host_client.h"

namespace farcall::bench {

/// The measuring loop: op(i) for i = 0, 1, …, with a sample, in ticks, of every `chunk` of them. One reading
/// of the clock ends a sample and begins the next, so nothing between them is left out; it adds its own time,
/// some 10 to 20 ns, to each sample.
template <typename Op>
std::vector<uint32_t> sample_each(uint32_t samples, uint32_t chunk, Op op) {
    std::vector<uint32_t> out;
    out.reserve(samples);
    uint64_t before = bench_ticks();
    for (uint32_t i = 0; out.size() < samples;) {
        for (const uint32_t end = i + chunk; i < end; i++)
            op(i);
        const uint64_t now = bench_ticks();
        out.push_back(bench_sample(now - before));
        before = now;
    }
    return out;
}

}  // namespace farcall::bench
