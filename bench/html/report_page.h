// SPDX-License-Identifier: MIT
// Records as one page for people: HTML that needs neither network nor scripts.
#pragma once

#include <string>
#include <vector>

#include "bench/full_record.h"

namespace farcall::bench {

/// The whole page, a section for each record. It is well-formed XML, too.
std::string report_page(const std::vector<FullRecord>& records);

}  // namespace farcall::bench
