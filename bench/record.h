// SPDX-License-Identifier: MIT
// What a run leaves behind as JSON; README.md has the schema.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/report.h"

namespace farcall::bench {

constexpr int kRecordSchema = 3;

/// A run that was written by write_json(), as far as two of them can be compared.
struct Record {
    std::string path;
    std::map<std::string, std::string> machine;                 ///< all that it says, as text
    std::vector<std::string> names;                             ///< of series and ratios, in their order
    std::map<std::string, std::vector<double>> series, ratios;  ///< rounds: ns per operation; ratios
};

/// The record of a run: what write_json() writes.
std::string record_text(const Report& report);

/// Throws farcall::Error when the file cannot be written.
void write_json(const Report& report, const std::string& path);

/// Throws farcall::Error that names the file and what is wrong with it: it may come from anywhere.
Record read_record(const std::string& path);

}  // namespace farcall::bench
