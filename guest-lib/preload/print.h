// SPDX-License-Identifier: MIT
// A call as strace prints it.
#pragma once

#include "guest-lib/preload/basic.h"
#include "guest-lib/preload/calls.h"

namespace farcall::preload {

/// One line, after the call: "[thread] name(arguments) = result".
void print_call(const CallRow& row, const Call& call, int fd);

class Printer {
  public:
    Printer(Text& text, const CallRow& row, const Call& call) : text_(text), row_(row), call_(call) {}
    void arguments();

  private:
    void argument(int i);
    bool memory_argument(int i);
    bool flag_argument(int i);
    bool socket_argument(int i);
    void string(u64 address);
    void data(u64 address, u64 bytes);
    void vector(u64 address, u64 count, u64 bytes);
    void status(u64 address);
    void times(u64 address);
    void socket_address(u64 address, u64 bytes);
    void open_flags(int i);
    void fcntl(int i);
    void message(u64 address);
    u64 arg(int i) const { return call_.args[i]; }
    bool failed_call() const { return failed(call_.result); }

    Text& text_;
    const CallRow& row_;
    const Call& call_;
};

}  // namespace farcall::preload
