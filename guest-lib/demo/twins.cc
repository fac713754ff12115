// SPDX-License-Identifier: MIT
// The driver of the cases: runs each in each world and compares.
#include "guest-lib/demo/twins.h"

#include <arpa/inet.h>
#include <farcall/ioctl.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace farcall::demo {

long Log::call(const std::string& what, long result) {
    const int err = errno;
    const char* name = result < 0 ? strerrorname_np(err) : nullptr;
    note(what, result >= 0 ? std::to_string(result) : std::string(name != nullptr ? name : "?"));
    return result;
}

void Descriptor::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

long must(const char* what, long result) {
    if (result < 0) throw Failure(std::string(what) + ": " + std::strerror(errno));
    return result;
}

Descriptor World::make(int type, int flags) const {
    if (!ours) return Descriptor(static_cast<int>(must("socket", ::socket(family, type | flags, 0))));
    const Descriptor device(
        static_cast<int>(must(FC_DEVICE_PATH, ::open(FC_DEVICE_PATH, O_RDWR | O_CLOEXEC))));
    fc_ioc_socket request{};
    request.family = static_cast<fc_u32>(family);
    request.type = static_cast<fc_u32>(type | flags);
    return Descriptor(
        static_cast<int>(must("FC_IOC_SOCKET", ::ioctl(device.get(), FC_IOC_SOCKET, &request))));
}

sockaddr_storage World::address(uint16_t port, bool any) const {
    sockaddr_storage out{};
    out.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET) {
        auto* in = reinterpret_cast<sockaddr_in*>(&out);
        in->sin_port = htons(port);
        in->sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
    } else {
        auto* in = reinterpret_cast<sockaddr_in6*>(&out);
        in->sin6_port = htons(port);
        in->sin6_addr = any ? in6addr_any : in6addr_loopback;
    }
    return out;
}

int World::bind(int fd, uint16_t port) const {
    const sockaddr_storage to = address(port, true);
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&to), length());
}

int World::connect(int fd, uint16_t port) const {
    const sockaddr_storage to = address(port);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&to), length());
}

Descriptor World::listener(int flags) const {
    Descriptor fd = make(SOCK_STREAM, flags);
    const int one = 1;
    must("SO_REUSEADDR", ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
    must("bind", bind(fd.get(), bind_port));
    must("listen", ::listen(fd.get(), 128));
    return fd;
}

std::pair<Descriptor, Descriptor> World::pair() const {
    const Descriptor listens = listener();
    Descriptor client = make(SOCK_STREAM);
    must("connect", connect(client.get(), connect_port));
    Descriptor server(static_cast<int>(must("accept", ::accept(listens.get(), nullptr, nullptr))));
    return {std::move(client), std::move(server)};
}

uint16_t port_of(const sockaddr_storage& address) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

int ready(int fd, short events, int milliseconds) {
    pollfd look{fd, events, 0};
    must("poll", ::poll(&look, 1, milliseconds));
    return look.revents;
}

void send_all(int fd, const std::string& data) {
    for (size_t at = 0; at < data.size();)
        at += static_cast<size_t>(must("send", ::send(fd, data.data() + at, data.size() - at, MSG_NOSIGNAL)));
}

std::string recv_all(int fd, size_t bytes) {
    std::string out(bytes, '\0');
    for (size_t at = 0; at < bytes;) {
        const auto n = static_cast<size_t>(must("recv", ::recv(fd, out.data() + at, bytes - at, 0)));
        if (n == 0) throw Failure("recv: the end after " + std::to_string(at) + " bytes");
        at += n;
    }
    return out;
}

std::string pattern(size_t bytes, unsigned seed) {
    std::string out(bytes, '\0');
    for (size_t i = 0; i < bytes; i++)
        out[i] = static_cast<char>(i * 7 + i / 251 + seed * 31);
    return out;
}

namespace {

std::vector<std::string> protocol(const TwinCase& one, const World& world) {
    Log log;
    try {
        one.run(world, log);
    } catch (const Failure& failure) {
        log.note("failed", failure.what());
    }
    return log.lines();
}

/// Lines that differ are printed.
bool same(const TwinCase& one, const World& world, const std::vector<std::string>& expected,
          const std::vector<std::string>& got) {
    if (expected == got) return true;
    std::printf("%s, %s:\n", one.name, world.name);
    for (size_t i = 0; i < std::max(expected.size(), got.size()); i++) {
        const std::string a = i < expected.size() ? expected[i] : "-", b = i < got.size() ? got[i] : "-";
        if (a != b) std::printf("  plain: %s | here: %s\n", a.c_str(), b.c_str());
    }
    return false;
}

unsigned compare(const std::vector<TwinCase>& cases, const std::vector<World>& worlds,
                 const std::string& only) {
    unsigned wrong = 0;
    for (const TwinCase& one : cases) {
        if (!only.empty() && only != one.name) continue;
        const std::vector<std::string> expected = protocol(one, worlds[0]);
        World six = worlds[0];
        six.family = AF_INET6;
        const std::vector<std::string> expected6 = one.by_family ? protocol(one, six) : expected;
        for (size_t i = 1; i < worlds.size(); i++) {
            const auto begun = std::chrono::steady_clock::now();
            const auto& wanted = worlds[i].family == AF_INET6 ? expected6 : expected;
            if (!same(one, worlds[i], wanted, protocol(one, worlds[i]))) wrong++;
            const auto took = std::chrono::steady_clock::now() - begun;
            std::printf(
                "case %s, %s: %ld ms\n", one.name, worlds[i].name,
                static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
            std::fflush(stdout);
        }
        if (!expected.empty() && expected.back().starts_with("failed")) {
            std::printf("%s, plain: %s\n", one.name, expected.back().c_str());
            wrong++;
        }
    }
    return wrong;
}

}  // namespace

// Where the host publishes: port 8082 (TCP) and 8083 (UDP) of this guest are PORTS + 6 and + 7 of its
// loopback, 8084 (both) PORTS + 8 of its IPv6 loopback.
int twins(Arguments& arguments) {
    const bool hostile = arguments.flag("--misuse");
    const std::string only = arguments.option("--case").value_or("");
    const auto rounds = static_cast<unsigned>(arguments.number("--rounds", 300, 1'000'000));
    const auto words = arguments.rest(1, 1, "twins [--misuse] [--rounds N] [--case NAME] PORTS");
    const auto ports = static_cast<uint16_t>(std::stoul(words[0]));
    const std::vector<World> streams = {
        {"plain", false, AF_INET, 9101, 9101},
        {"inside", true, AF_INET, 9102, 9102},
        {"inside, IPv6", true, AF_INET6, 9103, 9103},
        {"through the host", true, AF_INET, 8082, static_cast<uint16_t>(ports + 6)},
        {"through the host, IPv6", true, AF_INET6, 8084, static_cast<uint16_t>(ports + 8)}};
    std::vector<World> datagrams = streams;
    datagrams[3].bind_port = 8083;
    datagrams[3].connect_port = static_cast<uint16_t>(ports + 7);
    ::signal(SIGPIPE, SIG_IGN);
    if (hostile) {
        misuse(streams[3], rounds);
        misuse(datagrams[3], rounds);
        return 0;
    }
    unsigned wrong = 0;
    for (const auto* cases :
         {&kStreamCases, &kReadyCases, &kSignalCases, &kPassCases, &kCloseCases, &kEdgeCases})
        wrong += compare(*cases, streams, only);
    for (const auto* cases : {&kDatagramCases, &kControlCases})
        wrong += compare(*cases, datagrams, only);
    std::printf("twins: %u differ\n", wrong);
    return wrong == 0 ? 0 : 1;
}

}  // namespace farcall::demo
