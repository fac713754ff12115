// SPDX-License-Identifier: MIT
// Records as comma-separated values, for spreadsheets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/full_record.h"

namespace farcall::bench {

/// Text as a field by RFC 4180. What a spreadsheet would calculate (it begins with = + - @ or a tab) is made
/// text by an apostrophe before it.
std::string csv_field(std::string_view text);

/// A header, then a row for each series; lines end in CR LF.
std::string csv_of(const std::vector<FullRecord>& records);

}  // namespace farcall::bench
