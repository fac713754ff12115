// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/run.h"

namespace farcall::bench {

/// What the harness can measure.
struct Recipe {
    const char* name;
    const char* what;
    Report (*measure)(const Options&);
    /// Empty when it can run on this machine, else the reason why not, as one sentence.
    std::string (*unavailable)();
    bool by_script = false;  ///< takes minutes or hours in VMs: only when it is named
};
std::span<const Recipe> recipes();

/// One line for each of them: its name, whether it can run here and why not, what it measures.
void print_list();

/// Runs those that are named (none: all but the scripts) one after the other, and prints what they find.
/// `directory`, unless empty, gets NAME.json of each, a directory NAME of each script, and report.html and
/// report.csv of all. What can't run here is SKIPPED, with the reason. Throws farcall::Error for an unknown
/// name before anything runs, and at the end when one has failed.
void run_recipes(const std::vector<std::string>& names, const Options& options, const std::string& directory);

}  // namespace farcall::bench
