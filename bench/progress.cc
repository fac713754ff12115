// SPDX-License-Identifier: MIT
#include "bench/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include "bench/interval.h"

namespace farcall::bench {
namespace {

constexpr double kTerminalEvery = 0.5;
constexpr double kLogEvery = 10;

std::string how_far(const std::string& bench, const Way& way) {
    const double left = seconds_left(way);
    return fmt::format("bench {}: round {} of {}, {:.0f} s{}", bench, way.rounds_done, way.rounds,
                       way.seconds_done, left < 0 ? "" : fmt::format(", {:.0f} s left", left));
}

std::string cut(std::string line, size_t columns) {
    if (line.size() > columns) line.resize(columns);
    return line + "\n";
}

winsize terminal_size() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
        size.ws_row = 24, size.ws_col = 80;
    return size;
}

}  // namespace

double seconds_left(const Way& way) {
    if (way.rounds_done == 0) return -1;
    const double each = way.seconds_done / way.rounds_done;
    const double by_rounds = each * (way.rounds - std::min(way.rounds_done, way.rounds));
    return std::clamp(by_rounds, 0.0, std::max(0.0, way.seconds - way.seconds_done));
}

std::string progress_table(const std::string& bench, const Way& way, const Results& results, size_t columns,
                           size_t lines) {
    std::string out = cut(how_far(bench, way), columns);
    const auto& all = results.series();
    const size_t room = std::min(all.size(), lines > 2 ? lines - 2 : 0);
    if (room == 0) return out;
    constexpr std::string_view kTitle = "ns per operation so far";
    size_t width = kTitle.size();
    for (size_t i = all.size() - room; i < all.size(); i++)
        width = std::max(width, all[i].name.size());
    out += cut(fmt::format("{:<{}}{:>12}  {}", kTitle, width, "typical", "95 %"), columns);
    for (size_t i = all.size() - room; i < all.size(); i++) {
        const Interval interval = median_interval(all[i].rounds);
        const std::string between =
            interval.known ? fmt::format("{:.1f}..{:.1f}", interval.low, interval.high) : "";
        out += cut(fmt::format("{:<{}}{:>12.1f}  {}", all[i].name, width, interval.value, between), columns);
    }
    return out;
}

Progress::Progress(std::string bench) : bench_(std::move(bench)), terminal_(isatty(STDOUT_FILENO) == 1) {
    if (!terminal_) next_ = kLogEvery;
}

Progress::~Progress() {
    erase();
}

void Progress::erase() {
    if (drawn_ != 0) fmt::print("\x1b[{}A\x1b[J", drawn_);
    drawn_ = 0;
    std::fflush(stdout);
}

void Progress::show(const Way& way, const Results& results) {
    if (way.seconds_done < next_) return;
    next_ = way.seconds_done + (terminal_ ? kTerminalEvery : kLogEvery);
    if (!terminal_) {
        fmt::print(stderr, "{}\n", how_far(bench_, way));
        return;
    }
    erase();
    const winsize size = terminal_size();
    const std::string table = progress_table(bench_, way, results, size.ws_col, size.ws_row - 1u);
    drawn_ = static_cast<size_t>(std::count(table.begin(), table.end(), '\n'));
    fmt::print("{}", table);
    std::fflush(stdout);
}

}  // namespace farcall::bench
