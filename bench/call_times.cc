// SPDX-License-Identifier: MIT
#include "bench/call_times.h"

#include <limits>
#include <sstream>

#include "host-lib/error.h"

namespace farcall::bench {
namespace {

void add_chunk(const std::string& line, std::map<std::string, CallTimes>& out) {
    std::istringstream words(line);
    std::string name, more;
    uint64_t calls = 0, ns = 0;
    constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
    const bool good =
        words >> name >> calls >> ns && !(words >> more) && calls != 0 && calls <= kMost && ns <= kMost;
    CallTimes& times = out[name];
    if (!good || (times.calls != 0 && times.calls != calls))
        throw Error("farcall-calls wrote '" + line + "', which is no chunk of calls");
    times.calls = static_cast<uint32_t>(calls);
    times.ns.push_back(static_cast<uint32_t>(ns));
}

}  // namespace

std::map<std::string, CallTimes> parse_call_times(std::string_view text) {
    std::istringstream lines{std::string(text)};
    std::map<std::string, CallTimes> out;
    bool begun = false;
    for (std::string line; std::getline(lines, line);) {
        if (line == "begin")
            begun = true;
        else if (line == "end")
            return out;
        else if (begun)
            add_chunk(line, out);
    }
    throw Error("farcall-calls did not come to its end");
}

}  // namespace farcall::bench
