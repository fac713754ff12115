// SPDX-License-Identifier: MIT
#include "bench/scratch.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "host-lib/error.h"

namespace farcall::bench {

ScratchDirectory::ScratchDirectory()
    : path_((std::filesystem::temp_directory_path() / "farcall-bench-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) throw errno_error("cannot create " + path_);
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

UniqueFd ScratchDirectory::make_file(const std::string& name, uint64_t bytes) const {
    const std::string path = path_ + "/" + name;
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const std::string text(bytes, 'x');
    if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw errno_error("cannot write " + path);
    return fd;
}

}  // namespace farcall::bench
