// SPDX-License-Identifier: MIT
// What people get from records beside the table on the terminal.
#pragma once

#include <string>
#include <vector>

#include "bench/full_record.h"
#include "bench/report.h"

namespace farcall::bench {

/// Files to write; "": not this one.
struct Outputs {
    std::string json, html, csv;
};

/// HTML and CSV. Throws farcall::Error when a file cannot be written.
void write_outputs(const std::vector<FullRecord>& records, const Outputs& outputs);

/// All three, of a run that has just been. Throws farcall::Error when a file cannot be written.
void write_outputs(const Report& report, const Outputs& outputs);

}  // namespace farcall::bench
