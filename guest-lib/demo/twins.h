// SPDX-License-Identifier: MIT
// One sequence of socket calls, made on sockets of different kinds, must give one protocol of results.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "guest-lib/demo/demo.h"

namespace farcall::demo {

/// What a case has seen, line by line.
class Log {
  public:
    /// A call's result: its value, or the name of its errno. Returns it.
    long call(const std::string& what, long result);
    void note(const std::string& what, long value) { lines_.push_back(what + " = " + std::to_string(value)); }
    void note(const std::string& what, const std::string& value) { lines_.push_back(what + " = " + value); }
    const std::vector<std::string>& lines() const { return lines_; }

  private:
    std::vector<std::string> lines_;
};

/// A descriptor that closes itself.
class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() { close(); }
    int get() const { return fd_; }
    void close();

  private:
    int fd_;
};

/// A kind of socket, and where its peers are.
struct World {
    const char* name;
    bool ours;  ///< of FC_IOC_SOCKET
    int family;
    uint16_t bind_port;
    uint16_t connect_port;  ///< where what listens at bind_port is reached

    /// `flags`: SOCK_NONBLOCK, SOCK_CLOEXEC. Throws Failure.
    Descriptor make(int type, int flags = 0) const;
    /// The address of this host's loopback, or of all, with a port.
    sockaddr_storage address(uint16_t port, bool any = false) const;
    socklen_t length() const { return family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }
    int bind(int fd, uint16_t port) const;
    int connect(int fd, uint16_t port) const;
    /// Bound to bind_port and listening. Throws Failure.
    Descriptor listener(int flags = 0) const;
    /// Both ends of a connection: who connected, who accepted. Throws Failure.
    std::pair<Descriptor, Descriptor> pair() const;
};

uint16_t port_of(const sockaddr_storage& address);
/// Throws Failure with errno's text if `result` is below 0.
long must(const char* what, long result);
/// Waits for events on one descriptor: what poll() shows, 0 after `milliseconds`.
int ready(int fd, short events, int milliseconds);
/// Sends or receives all of it. Throws Failure.
void send_all(int fd, const std::string& data);
std::string recv_all(int fd, size_t bytes);
/// Bytes that differ from place to place.
std::string pattern(size_t bytes, unsigned seed);

struct TwinCase {
    const char* name;
    void (*run)(const World& world, Log& log);
    bool by_family = false;  ///< what IPv4 and IPv6 come to differs
};
extern const std::vector<TwinCase> kStreamCases;
extern const std::vector<TwinCase> kReadyCases;
extern const std::vector<TwinCase> kSignalCases;
extern const std::vector<TwinCase> kPassCases;
extern const std::vector<TwinCase> kCloseCases;
extern const std::vector<TwinCase> kEdgeCases;
extern const std::vector<TwinCase> kDatagramCases;
extern const std::vector<TwinCase> kControlCases;

/// What no program should do, and many of them at once. Throws Failure.
void misuse(const World& world, unsigned rounds);

}  // namespace farcall::demo
