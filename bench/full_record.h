// SPDX-License-Identifier: MIT
// A record with everything that it says, for what is made of it: pages and tables. compare.h needs less
// (record.h).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/results.h"

namespace farcall::bench {

/// All is within bounds: names and texts are of a length that can be shown, times are finite and not
/// negative. Texts are as they were, of any origin: whoever writes them somewhere escapes them.
struct FullRecord {
    std::string path;  ///< empty: of a run that has just been
    std::string bench, version;
    std::vector<std::pair<std::string, std::string>> machine;  ///< all that it says, as text
    std::vector<Series> series;                                ///< without `samples`
    std::vector<Ratio> ratios;
    std::vector<Split> splits;
    std::vector<Skipped> skipped;
    std::vector<std::string> warnings;
};

/// The text of a record. Throws farcall::Error that begins with `origin` and says what is wrong with it.
FullRecord parse_full_record(std::string_view text, const std::string& origin);

/// Throws farcall::Error that names the file and what is wrong with it.
FullRecord read_full_record(const std::string& path);

}  // namespace farcall::bench
