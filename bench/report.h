// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "bench/bare_bench.h"

namespace farcall::bench {

/// A table for people on standard output.
void print_report(const BareReport& report);

/// {"machine": {…}, "results": [{name, p50_ns, p99_ns, ops_per_s, …}], "ratios": {…}, "skipped": [{name,
/// reason}]}. Throws farcall::Error when the file cannot be written.
void write_json(const BareReport& report, const std::string& path);

}  // namespace farcall::bench
