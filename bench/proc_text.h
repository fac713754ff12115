// SPDX-License-Identifier: MIT
#pragma once

#include <fstream>
#include <iterator>
#include <string>

namespace farcall::bench {

/// A file of /proc, whole; "" where there is none, or it may not be read.
inline std::string proc_text(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace farcall::bench
