// SPDX-License-Identifier: MIT
// The host's side of the end-to-end checks of sockets: plain system calls, nothing of farcall.
//   farcall-e2e-peer echo PEER              echoes what comes, until it is killed
//   farcall-e2e-peer sink PEER FILE         appends to FILE what each connection brings
//   farcall-e2e-peer call PEER COUNT BYTES  so many connections at once (or datagrams in turn), each wants
//   its echo
//   farcall-e2e-peer ask SOCKET REQUEST     prints the answer of a Unix socket to one line
// PEER: tcp:PORT, tcp6:PORT, udp:PORT (on loopback) or unix:PATH.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "host-lib/unique_fd.h"

namespace {

using farcall::UniqueFd;

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    int type = SOCK_STREAM;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

int must(int result, const char* what) {
    if (result < 0) fail(what);
    return result;
}

Address parse(const std::string& text) {
    const std::string kind = text.substr(0, text.find(':')), rest = text.substr(kind.size() + 1);
    Address out;
    if (kind == "unix") {
        auto* address = reinterpret_cast<sockaddr_un*>(&out.storage);
        address->sun_family = AF_UNIX;
        rest.copy(address->sun_path, sizeof(address->sun_path) - 1);
        out.length = sizeof(sockaddr_un);
        return out;
    }
    const auto port = htons(static_cast<uint16_t>(std::stoi(rest)));
    if (kind == "tcp6") {
        auto* address = reinterpret_cast<sockaddr_in6*>(&out.storage);
        address->sin6_family = AF_INET6;
        address->sin6_port = port;
        address->sin6_addr = in6addr_loopback;
        out.length = sizeof(*address);
        return out;
    }
    auto* address = reinterpret_cast<sockaddr_in*>(&out.storage);
    address->sin_family = AF_INET;
    address->sin_port = port;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out.length = sizeof(*address);
    if (kind == "udp") out.type = SOCK_DGRAM;
    return out;
}

UniqueFd make(const Address& address) {
    return UniqueFd(must(::socket(address.get()->sa_family, address.type | SOCK_CLOEXEC, 0), "socket"));
}

void send_all(int fd, const char* data, size_t size) {
    while (size > 0) {
        const ssize_t sent = ::send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return;
        data += sent;
        size -= static_cast<size_t>(sent);
    }
}

void echo_stream(const UniqueFd& connection) {
    char bytes[16384];
    for (ssize_t got = 0; (got = ::recv(connection.get(), bytes, sizeof(bytes), 0)) > 0;)
        send_all(connection.get(), bytes, static_cast<size_t>(got));
}

void echo_datagrams(const UniqueFd& socket) {
    for (;;) {
        char bytes[2048];
        sockaddr_storage from{};
        socklen_t length = sizeof(from);
        const ssize_t got =
            ::recvfrom(socket.get(), bytes, sizeof(bytes), 0, reinterpret_cast<sockaddr*>(&from), &length);
        if (got >= 0)
            ::sendto(socket.get(), bytes, static_cast<size_t>(got), 0, reinterpret_cast<sockaddr*>(&from),
                     length);
    }
}

void drain(const UniqueFd& connection, const UniqueFd& file) {
    char bytes[65536];
    for (ssize_t got = 0; (got = ::recv(connection.get(), bytes, sizeof(bytes), 0)) > 0;)
        must(static_cast<int>(::write(file.get(), bytes, static_cast<size_t>(got))), "write");
}

int serve(const std::string& peer, const char* file) {
    const Address address = parse(peer);
    const UniqueFd socket = make(address);
    const int one = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    must(::bind(socket.get(), address.get(), address.length), peer.c_str());
    if (address.type == SOCK_DGRAM) echo_datagrams(socket);
    must(::listen(socket.get(), 64), "listen");
    UniqueFd out;
    if (file != nullptr) out.reset(must(::open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), file));
    for (;;) {
        UniqueFd connection(must(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept"));
        if (file != nullptr) {
            drain(connection, out);
        } else {
            std::thread([held = std::move(connection)] { echo_stream(held); }).detach();
        }
    }
}

std::string pattern(size_t index, size_t size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; i++)
        text[i] = static_cast<char>(i * 31 + i / 509 + index);
    return text;
}

/// Sends and receives at the same time: a server that echoes at once would else fill both sides' buffers.
bool call_once(const Address& address, size_t index, size_t size) {
    const UniqueFd socket = make(address);
    if (::connect(socket.get(), address.get(), address.length) < 0) return false;
    const timeval patience{60, 0};  // an emulated guest on a busy machine
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const std::string sent = pattern(index, size);
    std::string got;
    std::thread sender([&] { send_all(socket.get(), sent.data(), sent.size()); });
    std::vector<char> bytes(size + 1);
    while (got.size() < size) {
        const ssize_t count = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
        if (count <= 0) break;
        got.append(bytes.data(), static_cast<size_t>(count));
    }
    if (got.size() < size) ::shutdown(socket.get(), SHUT_RDWR);
    sender.join();
    return got == sent;
}

int call(const std::string& peer, size_t count, size_t size) {
    const Address address = parse(peer);
    std::vector<std::thread> threads;
    std::vector<char> good(count);
    for (size_t i = 0; i < count; i++) {
        threads.emplace_back([&, i] { good[i] = call_once(address, i, size); });
        if (address.type == SOCK_DGRAM) threads.back().join(), threads.pop_back();
    }
    for (std::thread& thread : threads)
        thread.join();
    size_t failed = 0;
    for (const char one : good)
        failed += one == 0;
    if (failed != 0) std::fprintf(stderr, "%s: %zu of %zu got no echo\n", peer.c_str(), failed, count);
    return failed == 0 ? 0 : 1;
}

int ask(const std::string& path, const std::string& request) {
    const Address address = parse("unix:" + path);
    const UniqueFd socket = make(address);
    must(::connect(socket.get(), address.get(), address.length), path.c_str());
    send_all(socket.get(), (request + "\n").data(), request.size() + 1);
    char bytes[4096];
    for (ssize_t got = 0; (got = ::recv(socket.get(), bytes, sizeof(bytes), 0)) > 0;)
        std::fwrite(bytes, 1, static_cast<size_t>(got), stdout);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    ::signal(SIGPIPE, SIG_IGN);
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "echo" && argc == 3) return serve(argv[2], nullptr);
    if (what == "sink" && argc == 4) return serve(argv[2], argv[3]);
    if (what == "call" && argc == 5) return call(argv[2], std::stoul(argv[3]), std::stoul(argv[4]));
    if (what == "ask" && argc == 4) return ask(argv[2], argv[3]);
    std::fprintf(
        stderr,
        "usage: farcall-e2e-peer echo PEER | sink PEER FILE | call PEER COUNT BYTES | ask SOCKET REQUEST\n");
    return 2;
}
