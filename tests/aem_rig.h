// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#define FARCALL_AEM_NO_SOCKETS
#include <farcall/aem.h>

#include "tests/local_net_rig.h"

namespace farcall::test {

/// A LocalNetHost in a process of its own: for tests that fork, whose children must not inherit the host's
/// sockets.
class AemHostProcess {
  public:
    AemHostProcess() {
        int name[2];
        int end[2];
        EXPECT_EQ(pipe2(name, O_CLOEXEC), 0);
        EXPECT_EQ(pipe2(end, O_CLOEXEC), 0);
        pid_ = in_child([&] {
            close(end[1]);
            const LocalNetHost host;
            const std::string where = host.where();
            if (write(name[1], where.c_str(), where.size() + 1) < 0) return 1;
            char nothing;
            return read(end[0], &nothing, 1) == 0 ? 0 : 1;  // until the test is over, however
        });
        close(name[1]);
        close(end[0]);
        end_.reset(end[1]);
        char text[256] = {};
        EXPECT_GT(read(name[0], text, sizeof(text) - 1), 0);
        close(name[0]);
        where_ = text;
    }
    ~AemHostProcess() {
        end_.reset();
        waitpid(pid_, nullptr, 0);
    }
    AemHostProcess(const AemHostProcess&) = delete;
    AemHostProcess& operator=(const AemHostProcess&) = delete;
    const std::string& where() const { return where_; }
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
    UniqueFd end_;
    std::string where_;
};

/// Both ways to have handlers called.
enum class Mode { kSignal, kDispatch };

inline farcall_aem_options aem_options(Mode mode) {
    farcall_aem_options options{};
    options.flags = mode == Mode::kDispatch ? FARCALL_AEM_DISPATCH : 0;
    return options;
}

/// Lets handlers run until `done`; false after 20 s. In signal mode this thread only spins: they interrupt
/// it.
template <typename Done>
bool run_until(Mode mode, Done done) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!done()) {
        if (std::chrono::steady_clock::now() > end) return false;
        if (mode == Mode::kDispatch) {
            EXPECT_GE(farcall_dispatch(100), 0);
        } else {
            std::this_thread::yield();
        }
    }
    return true;
}

struct Listener {
    int fd = -1;
    uint16_t port = 0;
};

/// A listening socket of the event API.
inline Listener listen_aem(int backlog = 4096) {
    Listener out;
    out.fd = farcall_aem_socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_GE(out.fd, FARCALL_AEM_FD_BASE);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(farcall_aem_bind(out.fd, any, sizeof(address)), 0) << strerror(errno);
    EXPECT_EQ(farcall_aem_listen(out.fd, backlog), 0);
    socklen_t length = sizeof(address);
    EXPECT_EQ(farcall_aem_getsockname(out.fd, any, &length), 0);
    out.port = ntohs(address.sin_port);
    return out;
}

/// An ordinary client of it.
inline UniqueFd connect_to(uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0)
        << strerror(errno);
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

inline void send_all(int fd, const std::string& text) {
    for (size_t sent = 0; sent < text.size();) {
        const ssize_t n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        ASSERT_TRUE(n > 0 || errno == EINTR) << strerror(errno);
        if (n > 0) sent += static_cast<size_t>(n);
    }
}

/// Reads `bytes`, or what comes before the end or 10 s. Handlers may run meanwhile only in signal mode.
inline std::string receive(int fd, size_t bytes) {
    std::string out;
    while (out.size() < bytes) {
        pollfd look{fd, POLLIN, 0};
        const int ready = ::poll(&look, 1, 10'000);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) break;
        char buffer[4096];
        const ssize_t n = ::recv(fd, buffer, std::min(sizeof(buffer), bytes - out.size()), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        out.append(buffer, static_cast<size_t>(n));
    }
    return out;
}

template <typename Host>
class AemTestOn : public ::testing::TestWithParam<Mode> {
  protected:
    void SetUp() override { open(aem_options(GetParam())); }
    void TearDown() override { EXPECT_EQ(farcall_aem_exit(), 0); }
    void open(const farcall_aem_options& options) {
        ASSERT_EQ(farcall_aem_init(host_.where().c_str(), &options), 0) << strerror(errno);
    }
    template <typename Done>
    bool until(Done done) {
        return run_until(GetParam(), done);
    }

    Host host_;
};
using AemTest = AemTestOn<LocalNetHost>;

inline std::string mode_name(const ::testing::TestParamInfo<Mode>& info) {
    return info.param == Mode::kSignal ? "Signal" : "Dispatch";
}

}  // namespace farcall::test
