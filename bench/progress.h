// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "bench/results.h"

namespace farcall::bench {

/// How far a bench is, by rounds and by the time that it may take; whichever ends first.
struct Way {
    uint32_t rounds_done = 0;
    uint32_t rounds = 0;
    double seconds_done = 0;
    double seconds = 0;
};

/// Until the end, guessed from the rounds so far; below 0: not known yet.
double seconds_left(const Way& way);

/// What is known so far, in lines that fit `columns` and `lines` of a terminal: how far it is, then what was
/// typical of each series, and between what its rounds lie. Of more series than lines, the last ones.
std::string progress_table(const std::string& bench, const Way& way, const Results& results, size_t columns,
                           size_t lines);

/// Draws that table on standard output, over its last one, while that is a terminal; else says how far it is
/// on standard error, every ten seconds. Takes no time while something is measured.
class Progress {
  public:
    explicit Progress(std::string bench);
    /// Removes the table.
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// Between two rounds. Draws at most twice a second.
    void show(const Way& way, const Results& results);

  private:
    void erase();

    std::string bench_;
    bool terminal_;
    size_t drawn_ = 0;  ///< lines
    double next_ = 0;   ///< seconds of the bench
};

}  // namespace farcall::bench
