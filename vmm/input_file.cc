// SPDX-License-Identifier: MIT
#include "vmm/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "host-lib/error.h"

namespace farcall::vmm {

InputFile::InputFile(std::string path, std::string what) : path_(std::move(path)), what_(std::move(what)) {
    // O_NONBLOCK: opening a FIFO by mistake must not hang.
    fd_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd_) throw errno_error(fmt::format("cannot open the {} '{}'", what_, path_));
    struct stat status {};
    if (::fstat(fd_.get(), &status) < 0)
        throw errno_error(fmt::format("cannot examine the {} '{}'", what_, path_));
    if (!S_ISREG(status.st_mode)) throw Error(fmt::format("the {} '{}' is not a regular file", what_, path_));
    if (status.st_size == 0) throw Error(fmt::format("the {} '{}' is empty", what_, path_));
    bytes_ = static_cast<uint64_t>(status.st_size);
}

void InputFile::read(uint64_t offset, std::span<std::byte> out) const {
    const auto truncated = [&] {
        return Error(fmt::format("the {} '{}' is truncated: {} bytes wanted at {}, it has {}", what_, path_,
                                 out.size(), offset, bytes_));
    };
    if (offset > bytes_ || out.size() > bytes_ - offset) throw truncated();
    size_t done = 0;
    while (done < out.size()) {
        const ssize_t got =
            ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw errno_error(fmt::format("cannot read the {} '{}'", what_, path_));
        if (got == 0) throw truncated();
        done += static_cast<size_t>(got);
    }
}

}  // namespace farcall::vmm
