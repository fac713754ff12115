// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace farcall {

/// A failure of a set-up path, as one sentence fit for the user. Data paths return negative errno values
/// instead.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// There is no such command to run: exit status 127, as a shell's.
class CommandNotFound : public Error {
  public:
    using Error::Error;
};

/// The error `what: strerror(err)`; `err` defaults to errno at the time of the call.
inline Error errno_error(const std::string& what, int err = errno) {
    return Error(what + ": " + std::strerror(err));
}

}  // namespace farcall
