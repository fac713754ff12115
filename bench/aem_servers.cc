// SPDX-License-Identifier: MIT
#include "bench/aem_servers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "bench/cores.h"
#include "bench/sampling.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

/// A message there and back.
void exchange(int fd, char* buffer, size_t bytes) {
    for (size_t sent = 0; sent < bytes;) {
        const ssize_t n = send(fd, buffer + sent, bytes - sent, MSG_NOSIGNAL);
        if (n <= 0) throw errno_error("a server of the bench went away");
        sent += static_cast<size_t>(n);
    }
    for (size_t got = 0; got < bytes;) {
        const ssize_t n = recv(fd, buffer + got, bytes - got, 0);
        if (n <= 0) throw errno_error("a server of the bench went away");
        got += static_cast<size_t>(n);
    }
}

}  // namespace

EchoServer::EchoServer(const EchoSetup& setup, int core) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        throw errno_error("cannot make sockets");
    std::fflush(stdout);
    pid_ = fork();
    if (pid_ < 0) throw errno_error("cannot make a process");
    control_ = UniqueFd(ends[pid_ == 0 ? 1 : 0]);
    close(ends[pid_ == 0 ? 0 : 1]);
    if (pid_ == 0) serve(setup, core);
}

EchoServer::~EchoServer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

void EchoServer::serve(EchoSetup setup, int core) const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin_thread(core);
    char where[256] = {};
    if (::read(control_.get(), where, sizeof(where) - 1) <= 0) _exit(0);
    setup.where = where;
    serve_echo(setup, [this](uint16_t port) {
        if (::write(control_.get(), &port, sizeof(port)) != sizeof(port)) _exit(1);
    });
}

void EchoServer::start(const std::string& where) {
    if (::write(control_.get(), where.data(), where.size()) < 0 ||
        ::read(control_.get(), &port_, sizeof(port_)) != sizeof(port_))
        throw Error("a server of the bench did not start");
}

UniqueFd connect_to_echo(uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0)
        throw errno_error("cannot connect to a server of the bench");
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

std::vector<uint32_t> exchange_messages(int fd, uint32_t bytes, uint32_t messages) {
    std::vector<char> buffer(bytes, 'x');
    exchange(fd, buffer.data(), bytes);
    return sample_each(messages, 1, [&](uint32_t) { exchange(fd, buffer.data(), bytes); });
}

}  // namespace farcall::bench
