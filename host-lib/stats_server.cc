// SPDX-License-Identifier: MIT
#include "host-lib/stats_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "host-lib/error.h"
#include "host-lib/signals.h"
#include "host-lib/stats_snapshot.h"

namespace farcall {
namespace {

constexpr size_t kMaxRequest = 64;  ///< bytes of a line
constexpr int kRequestMs = 1000;    ///< for the line to come
constexpr int kAnswerMs = 5000;     ///< for each piece of the answer to be taken
constexpr int kPauseMs = 200;       ///< when a connection can't be accepted

}  // namespace

StatsServer::StatsServer(const Engine& engine, const std::string& path)
    : engine_(engine), listener_(path, 0600, SOCK_STREAM), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) throw errno_error("can't create an eventfd");
    thread_ = std::thread([this] { run(); });
}

StatsServer::~StatsServer() {
    stopping_.store(true);
    ::eventfd_write(wake_.get(), 1);
    thread_.join();
}

void StatsServer::run() {
    block_all_signals();
    while (!stopping_.load()) {
        if (!wait_for(listener_.get(), POLLIN, -1)) continue;
        const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (connection) {
            serve(connection);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            wait_for(-1, 0, kPauseMs);
        }
    }
}

/// False: timeout, or the server is to stop.
bool StatsServer::wait_for(int fd, short events, int timeout_ms) const {
    pollfd items[] = {{fd, events, 0}, {wake_.get(), POLLIN, 0}};
    return ::poll(items, 2, timeout_ms) > 0 && items[1].revents == 0 && items[0].revents != 0;
}

void StatsServer::serve(const UniqueFd& connection) {
    std::string request;
    char bytes[kMaxRequest];
    while (request.find('\n') == std::string::npos) {
        if (request.size() > kMaxRequest || !wait_for(connection.get(), POLLIN, kRequestMs)) break;
        const ssize_t got = ::read(connection.get(), bytes, sizeof(bytes));
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break;
        if (got > 0) request.append(bytes, static_cast<size_t>(got));
    }
    const std::string text = answer(request);
    for (size_t sent = 0; sent < text.size();) {
        const ssize_t n = ::send(connection.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) return;
        if (n > 0) sent += static_cast<size_t>(n);
        if (n < 0 && !wait_for(connection.get(), POLLOUT, kAnswerMs)) return;
    }
}

std::string StatsServer::answer(const std::string& request) const {
    if (request == "stats json\n") return engine_.snapshot().json();
    if (request == "stats prometheus\n") return engine_.snapshot().prometheus();
    return "error: a request is one line: stats json, or stats prometheus\n";
}

}  // namespace farcall
