// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "host-lib/unique_fd.h"

namespace farcall::bench {

/// What the exec functions want; points into `words`.
std::vector<char*> argv_of(const std::vector<std::string>& words);

/// Runs a program with this one's standard streams until it ends. True: with status 0; it says itself what
/// was wrong. Throws farcall::Error when it cannot be started.
bool run_program(const std::vector<std::string>& words);

/// A program with pipes to its standard input and from its output (and errors). Ended with the object.
class Spawned {
  public:
    /// Throws farcall::Error when it cannot be started.
    explicit Spawned(const std::vector<std::string>& words);
    ~Spawned();
    Spawned(const Spawned&) = delete;
    Spawned& operator=(const Spawned&) = delete;

    /// Until its output has this text. Throws farcall::Error with what it said when it ends before, or after
    /// so many seconds.
    void await(std::string_view text, double seconds);
    void say(std::string_view text) const;
    /// Until it has ended; its status as a shell has it. Throws farcall::Error after so many seconds.
    int finish(double seconds);
    pid_t pid() const { return pid_; }

  private:
    /// False: it has closed its output.
    bool read_some(double until);

    std::string name_;
    UniqueFd in_, out_;
    pid_t pid_ = -1;
    std::string output_;
};

/// Memory of a process, by its mappings. The largest one is taken to be the memory of its guest.
struct Footprint {
    uint64_t guest_bytes = 0;  ///< of that one: what is resident
    uint64_t other_bytes = 0;  ///< its share of all others (PSS): code, heap, stacks, rings, page tables not
};

/// From the text of /proc/PID/smaps.
Footprint parse_smaps(std::string_view text);

}  // namespace farcall::bench
