// SPDX-License-Identifier: MIT
// Whether the machine was quiet while a bench ran: who else used its two cores, and how much its rounds
// differ.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/cores.h"
#include "bench/results.h"

namespace farcall::bench {

/// CPU time of a core since the machine started, in clock ticks of user space (USER_HZ).
struct CoreTimes {
    uint64_t busy = 0;    ///< user, nice, system, interrupts
    uint64_t stolen = 0;  ///< this machine's host ran something else
    uint64_t all = 0;

    CoreTimes& operator+=(const CoreTimes& other);
    CoreTimes operator-(const CoreTimes& before) const;
};

/// Of one core, from the text of /proc/stat; all 0 when it is not there.
CoreTimes parse_core_times(std::string_view proc_stat, int core);

/// Shares of the two cores' time, 0 to 1.
struct Disturbance {
    double others = 0;  ///< used by processes that are not the bench's
    double stolen = 0;
};

/// `own`: ticks of the bench and its children. An interval of no length: nothing is known, all 0.
Disturbance disturbance(const CoreTimes& cores, uint64_t own);

/// Series whose rounds differ a lot: their middle half spans more than a tenth of their median.
std::vector<std::string> unsteady(const std::vector<Series>& series);

/// Sentences for the report; none for a quiet machine.
std::vector<std::string> complaints(const Disturbance& disturbance, const std::vector<Series>& series);

/// Looks at the cores when it is made, and again when asked. Where there is no /proc, it sees nothing.
class NoiseWatch {
  public:
    explicit NoiseWatch(const Cores& cores);
    Disturbance so_far() const;

  private:
    struct Reading {
        CoreTimes cores;
        uint64_t own = 0;
    };
    Reading read() const;

    Cores cores_;
    Reading start_;
};

}  // namespace farcall::bench
