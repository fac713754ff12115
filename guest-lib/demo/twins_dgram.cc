// SPDX-License-Identifier: MIT
// Cases of datagrams.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>

#include "guest-lib/demo/twins.h"

namespace farcall::demo {
namespace {

Descriptor bound(const World& world) {
    Descriptor fd = world.make(SOCK_DGRAM);
    must("bind", world.bind(fd.get(), world.bind_port));
    return fd;
}

long send_to(const World& world, int fd, uint16_t port, const std::string& data, int flags = 0) {
    const sockaddr_storage to = world.address(port);
    return ::sendto(fd, data.data(), data.size(), flags, reinterpret_cast<const sockaddr*>(&to),
                    world.length());
}

long answer(const World& world, int fd, const sockaddr_storage& to, const std::string& data) {
    return ::sendto(fd, data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&to), world.length());
}

std::string receive(Log& log, const char* what, int fd, size_t bytes, int flags,
                    sockaddr_storage* from = nullptr) {
    std::string out(bytes, '\0');
    sockaddr_storage name{};
    iovec piece{out.data(), bytes};
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = sizeof(name);
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    const long n = log.call(what, ::recvmsg(fd, &message, flags));
    log.note(std::string(what) + ", flags", message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    if (from != nullptr) *from = name;
    out.resize(n > 0 ? std::min(static_cast<size_t>(n), bytes) : 0);
    return out;
}

void exchange(const World& world, Log& log) {
    const Descriptor server = bound(world);
    const Descriptor client = world.make(SOCK_DGRAM);
    sockaddr_storage from{};
    log.call("recv of none", ::recv(server.get(), nullptr, 0, MSG_DONTWAIT));
    log.call("send to nobody in particular", ::send(client.get(), "x", 1, 0));
    log.call("sendto", send_to(world, client.get(), world.connect_port, "question"));
    log.note("ready", ready(server.get(), POLLIN | POLLOUT, 10000));
    ready(server.get(), POLLIN, 10000);
    int unread = -1;
    log.call("FIONREAD", ::ioctl(server.get(), FIONREAD, &unread));
    log.note("unread", unread);
    log.note("peek", receive(log, "peek", server.get(), 3, MSG_PEEK));
    log.note("question", receive(log, "recv", server.get(), 100, 0, &from));
    log.note("from us", from.ss_family == world.family);
    log.call("answer", answer(world, server.get(), from, "answer"));
    log.note("answer", receive(log, "recv", client.get(), 100, 0, &from));
    log.note("from there", port_of(from) == world.connect_port);
    log.call("empty", send_to(world, client.get(), world.connect_port, ""));
    log.note("empty", receive(log, "recv", server.get(), 100, 0, &from));
    log.call("long", send_to(world, client.get(), world.connect_port, pattern(9000, 1)));
    log.note("cut", receive(log, "recv", server.get(), 100, 0) == pattern(100, 1));
    log.call("long", send_to(world, client.get(), world.connect_port, pattern(9000, 1)));
    log.note("cut", receive(log, "recv", server.get(), 100, MSG_TRUNC) == pattern(100, 1));
    log.call("the longest", send_to(world, client.get(), world.connect_port, pattern(65507, 2)));
    log.note("the longest", receive(log, "recv", server.get(), 70000, 0) == pattern(65507, 2));
    log.call("too long", send_to(world, client.get(), world.connect_port, pattern(65536, 2)));
    log.call("much too long", send_to(world, client.get(), world.connect_port, pattern(200000, 2)));
    log.call("to nobody", send_to(world, client.get(), 9, "x"));
    log.call("port 0", send_to(world, client.get(), 0, "x"));
    log.call("recv of none", ::recv(server.get(), nullptr, 0, MSG_DONTWAIT));
}

void connected(const World& world, Log& log) {
    const Descriptor server = bound(world);
    const Descriptor client = world.make(SOCK_DGRAM);
    sockaddr_storage name{};
    socklen_t length = sizeof(name);
    log.call("getpeername", ::getpeername(client.get(), reinterpret_cast<sockaddr*>(&name), &length));
    log.call("connect", world.connect(client.get(), world.connect_port));
    length = sizeof(name);
    log.call("getpeername", ::getpeername(client.get(), reinterpret_cast<sockaddr*>(&name), &length));
    log.note("port", port_of(name) == world.connect_port);
    length = sizeof(name);
    log.call("getsockname", ::getsockname(client.get(), reinterpret_cast<sockaddr*>(&name), &length));
    log.note("has a port", port_of(name) != 0);
    log.call("send", ::send(client.get(), "one", 3, 0));
    sockaddr_storage from{};
    log.note("one", receive(log, "recv", server.get(), 10, 0, &from));
    log.call("answer", answer(world, server.get(), from, "two"));
    std::array<char, 10> buffer{};
    log.call("read", ::read(client.get(), buffer.data(), buffer.size()));
    log.note("two", buffer.data());
    // Somebody waits already.
    std::thread later([&] {
        ::usleep(50000);
        answer(world, server.get(), from, "later");
    });
    log.call("recv", ::recv(client.get(), buffer.data(), buffer.size(), 0));
    later.join();
    std::thread other([&] {
        ::usleep(50000);
        ::send(client.get(), "later", 5, 0);
    });
    log.note("later", receive(log, "recv", server.get(), 10, 0));
    other.join();
    const sockaddr none{AF_UNSPEC, {}};
    log.call("disconnect", ::connect(client.get(), &none, sizeof(none)));
    log.call("send", ::send(client.get(), "x", 1, 0));
    log.call("shutdown", ::shutdown(client.get(), SHUT_RDWR));
}

void several(const World& world, Log& log) {
    const Descriptor server = bound(world);
    const Descriptor client = world.make(SOCK_DGRAM, SOCK_NONBLOCK);
    const sockaddr_storage to = world.address(world.connect_port);
    std::array<std::string, 5> texts;
    std::array<mmsghdr, 5> messages{};
    std::array<iovec, 5> pieces{};
    for (size_t i = 0; i < 5; i++) {
        texts[i] = "datagram " + std::to_string(i);
        pieces[i] = {texts[i].data(), texts[i].size()};
        messages[i].msg_hdr.msg_name = const_cast<sockaddr_storage*>(&to);
        messages[i].msg_hdr.msg_namelen = world.length();
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    log.call("sendmmsg", ::sendmmsg(client.get(), messages.data(), 5, 0));
    for (std::string& text : texts)
        text.assign(20, '\0');
    for (size_t i = 0; i < 5; i++) {
        pieces[i] = {texts[i].data(), texts[i].size()};
        messages[i].msg_hdr.msg_name = nullptr;
        messages[i].msg_hdr.msg_namelen = 0;
    }
    long got = 0;
    while (got < 5)
        got += must("recvmmsg", ::recvmmsg(server.get(), messages.data() + got,
                                           static_cast<unsigned>(5 - got), MSG_WAITFORONE, nullptr));
    for (const std::string& text : texts)
        log.note("got", text.c_str());
    const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{EPOLLIN | EPOLLET, {}};
    log.call("add", ::epoll_ctl(set.get(), EPOLL_CTL_ADD, server.get(), &event));
    for (int i = 0; i < 10; i++) {
        send_to(world, client.get(), world.connect_port, "x");
        log.call("edge", ::epoll_wait(set.get(), &event, 1, 10000));
        log.note("got", receive(log, "recv", server.get(), 10, MSG_DONTWAIT));
    }
    const timeval time{0, 100000};
    log.call("SO_RCVTIMEO", ::setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
    log.call("recv of none", ::recv(server.get(), nullptr, 0, 0));
}

}  // namespace

const std::vector<TwinCase> kDatagramCases = {
    {"exchange", exchange}, {"connected", connected}, {"several", several}};

}  // namespace farcall::demo
