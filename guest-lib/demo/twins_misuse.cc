// SPDX-License-Identifier: MIT
// Misuse: calls with arguments from nowhere, many sockets, processes that are killed.
#include <farcall/ioctl.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>

#include "guest-lib/demo/twins.h"

namespace farcall::demo {
namespace {

// Calls with arguments from nowhere. What they come to is not compared: the kernel, the host and the next
// program stay well.
void random_calls(int fd, std::mt19937& random, unsigned count) {
    std::array<char, 512> buffer;
    for (unsigned i = 0; i < count; i++) {
        const auto any = [&] { return static_cast<long>(random() % 3 == 0 ? random() : random() % 256); };
        for (char& byte : buffer)
            byte = static_cast<char>(random() % 4 == 0 ? random() : 0);
        if (random() % 2 == 0) buffer[0] = AF_INET, buffer[1] = 0;
        void* where = random() % 4 == 0 ? reinterpret_cast<void*>(any()) : buffer.data();
        auto length = static_cast<socklen_t>(random() % 4 == 0 ? any() : static_cast<long>(random() % 200));
        auto* address = static_cast<sockaddr*>(where);
        iovec piece{where, length};
        msghdr message{};
        message.msg_name = random() % 2 == 0 ? buffer.data() : nullptr;
        message.msg_namelen = length;
        message.msg_iov = &piece;
        message.msg_iovlen = static_cast<size_t>(random() % 3 == 0 ? any() : 1);
        const int flags = static_cast<int>(random()) | MSG_DONTWAIT | MSG_NOSIGNAL;
        switch (random() % 13) {
            case 0:
                static_cast<void>(::bind(fd, address, length));
                break;
            case 1:
                static_cast<void>(::connect(fd, address, length));
                break;
            case 2:
                static_cast<void>(::listen(fd, static_cast<int>(any())));
                break;
            case 3:
                Descriptor(::accept(fd, address, &length));
                break;
            case 4:
                ::send(fd, where, length, flags);
                break;
            case 5:
                ::recv(fd, where, length, flags);
                break;
            case 6:
                ::sendmsg(fd, &message, flags);
                break;
            case 7:
                static_cast<void>(::recvmsg(fd, &message, flags));
                break;
            case 8:
                ::setsockopt(fd, static_cast<int>(any()), static_cast<int>(any()), where, length);
                break;
            case 9:
                ::getsockopt(fd, static_cast<int>(any()), static_cast<int>(any()), where, &length);
                break;
            case 10:
                ::getsockname(fd, address, &length);
                break;
            case 11:
                ::ioctl(fd, static_cast<unsigned long>(any()), where);
                break;
            default:
                ready(fd, static_cast<short>(random()), 0);
                break;
        }
        if (random() % 100 == 0) ::shutdown(fd, static_cast<int>(random() % 4));
    }
}

// Options that put other operations in the place of the module's, on a connection inside of the guest.
void keep_operations(const World& world) {
    const Descriptor listens = world.make(SOCK_STREAM), fd = world.make(SOCK_STREAM);
    must("bind", world.bind(listens.get(), 0));
    must("listen", ::listen(listens.get(), 1));
    sockaddr_storage name{};
    socklen_t length = sizeof(name);
    must("getsockname", ::getsockname(listens.get(), reinterpret_cast<sockaddr*>(&name), &length));
    must("connect", world.connect(fd.get(), port_of(name)));
    const int family = AF_INET;
    if (::setsockopt(fd.get(), IPPROTO_TCP, TCP_ULP, "tls", 3) == 0 || errno != ENOPROTOOPT)
        throw Failure("TCP_ULP is not refused");
    if (::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)) == 0)
        throw Failure("IPV6_ADDRFORM is not refused");
}

// What only the guest's kernel could honour keeps a socket inside.
void stay_inside(const World& world) {
    const Descriptor listens = world.listener();
    for (const bool inside : {false, true}) {
        const Descriptor fd = world.make(SOCK_STREAM);
        if (inside) must("SO_BINDTODEVICE", ::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
        const bool refused = world.connect(fd.get(), world.connect_port) < 0 && errno == ECONNREFUSED;
        if (refused != inside) throw Failure("SO_BINDTODEVICE has no effect");
    }
}

}  // namespace

void misuse(const World& world, unsigned rounds) {
    const int type = world.bind_port == 8083 ? SOCK_DGRAM : SOCK_STREAM;
    std::mt19937 random(rounds);
    ::setvbuf(stdout, nullptr, _IOLBF, 0);
    if (world.ours && type == SOCK_STREAM) {
        keep_operations(world);
        stay_inside(world);
    }
    // Many, all of them with a socket on the host, and some that wait there.
    {
        std::vector<Descriptor> many;
        for (unsigned i = 0; i < 1000; i++) {
            many.push_back(world.make(type, SOCK_NONBLOCK | SOCK_CLOEXEC));
            world.connect(many.back().get(), world.connect_port);
            if (i % 3 == 0) ready(many.back().get(), POLLIN, 0);
        }
        std::printf("many: %zu sockets\n", many.size());
    }
    // Processes that are killed while they wait, in turn for a connection and for data.
    for (unsigned i = 0; i < 20; i++) {
        const pid_t child = ::fork();
        if (child == 0) {
            const Descriptor fd = world.make(type);
            char byte = 0;
            if (type == SOCK_DGRAM) world.bind(fd.get(), world.bind_port);
            if (type == SOCK_DGRAM || i % 2 == 0) {
                world.connect(fd.get(), world.connect_port);
                ::recv(fd.get(), &byte, 1, 0);
            }
            const Descriptor listens = world.listener();
            ::accept(listens.get(), nullptr, nullptr);
            ::pause();
        }
        ::usleep(i * 5000);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
    std::printf("killed: 20 processes\n");
    for (unsigned i = 0; i < rounds; i++) {
        Descriptor fd = world.make(type, SOCK_NONBLOCK);
        std::thread other([&, seed = random()] {
            std::mt19937 own(seed);
            random_calls(fd.get(), own, 20);
        });
        random_calls(fd.get(), random, 20);
        other.join();
    }
    std::printf("misused: %u sockets\n", rounds);
    for (unsigned wrong = 0; wrong < 6; wrong++) {
        const Descriptor device(::open(FC_DEVICE_PATH, O_RDWR | O_CLOEXEC));
        fc_ioc_socket request{AF_INET, SOCK_STREAM, 0, 0};
        const int expected[] = {EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT,
                                EINVAL,       EFAULT,          ESOCKTNOSUPPORT};
        if (wrong == 0) request.family = AF_UNIX;
        if (wrong == 1) request.type = SOCK_RAW;
        if (wrong == 2) request.protocol = IPPROTO_UDP;
        if (wrong == 3) request.reserved = 1;
        if (wrong == 5) request.type = SOCK_STREAM | 0x40000000;
        void* where = wrong == 4 ? reinterpret_cast<void*>(8) : &request;
        if (::ioctl(device.get(), FC_IOC_SOCKET, where) >= 0 || errno != expected[wrong])
            throw Failure("FC_IOC_SOCKET, wrong request " + std::to_string(wrong) + ": " +
                          std::strerror(errno));
    }
}

}  // namespace farcall::demo
