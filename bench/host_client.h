// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstdint>

#include "bench/payload/run.h"

/// loops.h for a host thread: the doorbell is an eventfd. A failed write only costs a wake-up, and the loop
/// times out.
static inline void bench_ring_doorbell(const struct bench_run* run) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(static_cast<int>(run->doorbell), &one, sizeof(one));
}

#include "bench/payload/loops.h"
