// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace farcall::init {

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
};

/// Reads and checks a configuration. False, with a sentence in `error`, when it is missing or wrong.
bool read_config(const char* path, Config& out, std::string& error);

}  // namespace farcall::init
