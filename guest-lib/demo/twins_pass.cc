// SPDX-License-Identifier: MIT
// Cases of descriptors that change hands, and of calls that move data between descriptors.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <thread>

#include "guest-lib/demo/twins.h"

namespace farcall::demo {
namespace {

/// A byte, and room for a descriptor beside it.
struct Parcel {
    Parcel() {
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
    }
    Parcel(const Parcel&) = delete;
    Parcel& operator=(const Parcel&) = delete;

    char byte = 'd';
    iovec data{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
};

void send_descriptor(int over, int fd) {
    Parcel parcel;
    cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    must("SCM_RIGHTS", ::sendmsg(over, &parcel.message, 0));
}

int receive_descriptor(int over) {
    Parcel parcel;
    must("recvmsg", ::recvmsg(over, &parcel.message, 0));
    int fd = -1;
    const cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

// Echoes until the end.
[[noreturn]] void echo_and_exit(int fd) {
    std::array<char, 256> buffer;
    ssize_t n;
    while ((n = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0)
        if (::send(fd, buffer.data(), static_cast<size_t>(n), 0) != n) ::_exit(2);
    ::_exit(n == 0 ? 0 : 1);
}

void inherited(const World& world, Log& log) {
    auto [a, b] = world.pair();
    pid_t child = ::fork();
    if (child == 0) {
        a.close();
        echo_and_exit(b.get());
    }
    b.close();
    send_all(a.get(), "to a child");
    log.note("echo", recv_all(a.get(), 10));
    ::shutdown(a.get(), SHUT_WR);
    char byte = 0;
    log.call("the end", ::recv(a.get(), &byte, 1, 0));
    int status = -1;
    ::waitpid(child, &status, 0);
    log.note("status", status);
    // To a process that has none of ours.
    int over[2];
    must("socketpair", ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, over));
    child = ::fork();
    if (child == 0) {
        ::close(over[0]);
        echo_and_exit(receive_descriptor(over[1]));
    }
    ::close(over[1]);
    {
        auto [c, d] = world.pair();
        send_descriptor(over[0], d.get());
        d.close();
        send_all(c.get(), "passed");
        log.note("echo", recv_all(c.get(), 6));
    }
    ::waitpid(child, &status, 0);
    log.note("status", status);
    ::close(over[0]);
    // One that is killed in the middle of what it does.
    auto [e, f] = world.pair();
    child = ::fork();
    if (child == 0) {
        e.close();
        recv_all(f.get(), 100);
        ::_exit(0);
    }
    f.close();
    send_all(e.get(), "half of it");
    ::usleep(50000);
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    log.note("killed", WTERMSIG(status));
    log.call("the end", ::recv(e.get(), &byte, 1, 0));
}

// A fault in the middle loses nothing, however much of it was received.
void half_mapped(int from, int to, Log& log) {
    constexpr size_t kPage = 4096, kBytes = 8000;
    void* memory = ::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must("mmap",
         memory == MAP_FAILED ? -1 : ::mprotect(static_cast<char*>(memory) + kPage, kPage, PROT_NONE));
    const std::string text = pattern(kBytes, 4);
    send_all(from, text);
    ready(to, POLLIN, 10000);
    const ssize_t n = ::recv(to, memory, 2 * kPage, 0);
    std::string got(static_cast<char*>(memory), n > 0 ? static_cast<size_t>(n) : 0);
    got += recv_all(to, kBytes - got.size());
    log.note("half mapped", got == text);
    ::munmap(memory, 2 * kPage);
}

void copies(const World& world, Log& log) {
    auto [a, b] = world.pair();
    Descriptor again(::dup(a.get()));
    a.close();
    send_all(again.get(), "dup");
    log.note("dup", recv_all(b.get(), 3));
    const Descriptor file(::memfd_create("twins", MFD_CLOEXEC));
    const std::string text = pattern(200000, 3);
    must("write", ::write(file.get(), text.data(), text.size()));
    std::string got;
    std::thread reader([&, fd = b.get()] { got = recv_all(fd, 200000); });
    off_t at = 0;
    while (at < 200000)
        must("sendfile", ::sendfile(again.get(), file.get(), &at, static_cast<size_t>(200000 - at)));
    reader.join();
    log.note("sendfile", got == text);
    int ends[2];
    must("pipe", ::pipe2(ends, O_CLOEXEC));
    const Descriptor out(ends[0]), in(ends[1]);
    send_all(b.get(), "through a pipe");
    ready(again.get(), POLLIN, 10000);
    log.call("splice out", ::splice(again.get(), nullptr, in.get(), nullptr, 14, 0));
    log.call("splice in", ::splice(out.get(), nullptr, again.get(), nullptr, 14, 0));
    log.note("splice", recv_all(b.get(), 14));
    std::array<mmsghdr, 3> messages{};
    std::array<iovec, 3> pieces{
        {{const_cast<char*>("a"), 1}, {const_cast<char*>("bc"), 2}, {const_cast<char*>("d"), 1}}};
    for (size_t i = 0; i < 3; i++) {
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    log.call("sendmmsg", ::sendmmsg(again.get(), messages.data(), 3, 0));
    log.note("sendmmsg", recv_all(b.get(), 4));
    log.call("send from nowhere", ::send(again.get(), reinterpret_cast<void*>(8), 10, 0));
    send_all(b.get(), "x");
    ready(again.get(), POLLIN, 10000);
    log.call("recv to nowhere", ::recv(again.get(), reinterpret_cast<void*>(8), 10, 0));
    log.note("still there", recv_all(again.get(), 1));
    half_mapped(b.get(), again.get(), log);
    int mark = -1;
    log.call("SIOCATMARK", ::ioctl(b.get(), SIOCATMARK, &mark));
    log.call("unknown ioctl", ::ioctl(b.get(), 0x1234567, &mark));
    int on = 1;
    log.call("FIONBIO", ::ioctl(b.get(), FIONBIO, &on));
    char byte = 0;
    log.call("recv", ::recv(b.get(), &byte, 1, 0));
}

}  // namespace

const std::vector<TwinCase> kPassCases = {{"inherited", inherited}, {"copies", copies}};

}  // namespace farcall::demo
