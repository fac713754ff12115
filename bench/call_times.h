// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace farcall::bench {

/// Chunks of one system call.
struct CallTimes {
    uint32_t calls = 0;        ///< in each chunk
    std::vector<uint32_t> ns;  ///< of each chunk
};

/// By the call's name, from what farcall-calls writes, without its warm-up. Throws farcall::Error when that
/// is cut off or not what it writes.
std::map<std::string, CallTimes> parse_call_times(std::string_view text);

}  // namespace farcall::bench
