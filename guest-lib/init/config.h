// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace farcall::init {

/// A share of the host as a file system.
struct Mount {
    unsigned share = 0;
    bool writable = false;
    unsigned timeout_ms = 0;  ///< how long names and attributes are believed
    std::string where;        ///< absolute
};

/// What to run and how: the file of <farcall/init.h>.
struct Config {
    std::vector<std::string> arguments;  ///< never empty after parsing
    std::vector<std::string> environment;
    std::string directory = "/";
    uid_t user = 1000;
    gid_t group = 1000;
    bool terminal = false;
    unsigned short rows = 24;
    unsigned short columns = 80;
    bool log = false;
    std::string trace;                 ///< path of a FIFO, or empty
    std::string summary;               ///< path of a file, or empty
    std::vector<std::string> modules;  ///< paths, in the order in which they are loaded
    std::optional<Mount> root;         ///< instead of the initial RAM disk
    std::string image;                 ///< file system type of the file that `root` is, or empty
    std::vector<Mount> mounts;         ///< in this order
};

/// Reads and checks a configuration. False, with a sentence in `error`, when it is missing or wrong.
bool read_config(const char* path, Config& out, std::string& error);

}  // namespace farcall::init
