// SPDX-License-Identifier: MIT
#include "vmm/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>

#include "host-lib/error.h"

namespace farcall::vmm {

namespace {

constexpr std::array kFatalSignals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// What a signal handler may look at: set up before `raw` becomes true.
termios saved;
std::atomic<bool> raw = false;

void restore() {
    if (raw.exchange(false)) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

void on_fatal_signal(int number) {
    restore();
    ::signal(number, SIG_DFL);
    ::raise(number);
}

}  // namespace

std::optional<TerminalSize> terminal_size(int fd) {
    winsize size{};
    if (::isatty(fd) == 0) return std::nullopt;
    if (::ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0) return TerminalSize{};
    return TerminalSize{size.ws_row, size.ws_col};
}

RawTerminal::RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &saved) < 0) throw errno_error("stdin is not a terminal");
    termios mode = saved;
    ::cfmakeraw(&mode);
    raw = true;
    std::atexit(restore);
    for (const int number : kFatalSignals)
        ::signal(number, on_fatal_signal);
    if (::tcsetattr(STDIN_FILENO, TCSANOW, &mode) < 0) {
        raw = false;
        throw errno_error("cannot put the terminal into raw mode");
    }
}

RawTerminal::~RawTerminal() {
    restore();
}

}  // namespace farcall::vmm
