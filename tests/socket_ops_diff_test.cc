// SPDX-License-Identifier: MIT
// The same sequence of calls twice: by commands, and by direct system calls on this machine's loopback.
// Results, errors and data must be the same. Sequences are random; FARCALL_TEST_SEED repeats one.
#include <netinet/tcp.h>

#include <deque>
#include <random>

#include "tests/socket_client.h"

namespace farcall::test {
namespace {

constexpr int kSteps = 400;
constexpr uint32_t kMostBytes = 3000;

/// What a call came to: a result or -errno, and data.
struct Result {
    int64_t value = 0;
    std::string data;
    bool operator==(const Result&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Result& result) {
    return out << result.value << " (" << (result.value < 0 ? strerror(static_cast<int>(-result.value)) : "")
               << ") \"" << result.data << '"';
}

/// The calls that both ways offer. Sockets are numbers from 0 up, names of addresses likewise.
class Calls {
  public:
    virtual ~Calls() = default;
    virtual Result socket(int family, int type, int protocol) = 0;
    virtual Result bind(int s, int family) = 0;
    virtual Result listen(int s, int backlog) = 0;
    virtual Result accept(int s) = 0;
    virtual Result connect(int s, int to) = 0;  ///< to: a socket that is bound; -1: where nobody is
    virtual Result send(int s, const std::string& data, int flags) = 0;
    virtual Result recv(int s, uint32_t length, int flags) = 0;
    virtual Result send_to(int s, int to, const std::string& data) = 0;
    virtual Result recv_message(int s, uint32_t length) = 0;
    virtual Result shutdown(int s, int how) = 0;
    virtual Result get_option(int s, int level, int name) = 0;
    virtual Result set_option(int s, int level, int name, int value) = 0;
    virtual Result names(int s) = 0;
    virtual Result poll(int s, int events) = 0;
    virtual Result close(int s) = 0;
};

std::string describe_names(int own, int peer) {
    return std::to_string(own) + "/" + std::to_string(peer);
}

/// By system calls.
class Direct final : public Calls {
  public:
    explicit Direct(std::string directory) : directory_(std::move(directory)) {}
    ~Direct() override {
        for (const int fd : fds_)
            if (fd >= 0) ::close(fd);
    }
    Result socket(int family, int type, int protocol) override {
        return made(::socket(family, type | SOCK_CLOEXEC, protocol));
    }
    Result bind(int s, int family) override {
        addresses_.resize(std::max<size_t>(addresses_.size(), s + 1));
        Bytes address = family == AF_UNIX ? unix_address(directory_ + "/" + std::to_string(s))
                                          : address_of(family == AF_INET ? "127.0.0.1" : "::1", 0);
        if (::bind(fd(s), raw(address), size(address)) < 0) return {-errno};
        if (family != AF_UNIX) {
            socklen_t length = size(address);
            getsockname(fd(s), reinterpret_cast<sockaddr*>(address.data()), &length);
        }
        addresses_[s] = address;
        return {0};
    }
    Result listen(int s, int backlog) override { return plain(::listen(fd(s), backlog)); }
    Result accept(int s) override { return made(::accept4(fd(s), nullptr, nullptr, SOCK_CLOEXEC)); }
    Result connect(int s, int to) override {
        const Bytes& address = find(s, to);
        return plain(::connect(fd(s), raw(address), size(address)));
    }
    Result send(int s, const std::string& data, int flags) override {
        return plain(::send(fd(s), data.data(), data.size(), flags | MSG_NOSIGNAL));
    }
    Result recv(int s, uint32_t length, int flags) override {
        std::string data(length, '\0');
        const ssize_t n = ::recv(fd(s), data.data(), length, flags);
        if (n < 0) return {-errno};
        data.resize(std::min<size_t>(n, length));
        return {n, data};
    }
    Result send_to(int s, int to, const std::string& data) override {
        const Bytes& address = find(s, to);
        return plain(::sendto(fd(s), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT, raw(address),
                              size(address)));
    }
    Result recv_message(int s, uint32_t length) override {
        std::string data(length, '\0');
        sockaddr_storage from{};
        iovec pieces[2] = {{data.data(), length / 2}, {data.data() + length / 2, length - length / 2}};
        msghdr message{};
        message.msg_name = &from;
        message.msg_namelen = sizeof(from);
        message.msg_iov = pieces;
        message.msg_iovlen = 2;
        const ssize_t n = ::recvmsg(fd(s), &message, MSG_DONTWAIT);
        if (n < 0) return {-errno};
        data.resize(static_cast<size_t>(n));
        return {n, data + "|" + std::to_string(message.msg_flags)};
    }
    Result shutdown(int s, int how) override { return plain(::shutdown(fd(s), how)); }
    Result get_option(int s, int level, int name) override {
        int value = 0;
        socklen_t length = sizeof(value);
        const int rc = getsockopt(fd(s), level, name, &value, &length);
        return rc < 0 ? Result{-errno} : Result{length, std::to_string(value)};
    }
    Result set_option(int s, int level, int name, int value) override {
        return plain(setsockopt(fd(s), level, name, &value, sizeof(value)));
    }
    Result names(int s) override {
        const auto ask = [&](auto call) {
            sockaddr_storage address{};
            socklen_t length = sizeof(address);
            if (call(fd(s), reinterpret_cast<sockaddr*>(&address), &length) < 0) return -errno;
            return address.ss_family == AF_UNIX ? AF_UNIX : static_cast<int>(length);
        };
        return {0, describe_names(ask(::getsockname), ask(::getpeername))};
    }
    Result poll(int s, int events) override { return poll_for(s, events, 0); }
    Result poll_for(int s, int events, int ms) {
        pollfd look{fd(s), static_cast<short>(events), 0};
        if (fd(s) < 0) return {-EBADF};
        return ::poll(&look, 1, ms) < 0 ? Result{-errno} : Result{look.revents};
    }
    Result close(int s) override {
        const int rc = ::close(fd(s));
        if (rc == 0) fds_[s] = -1;
        return plain(rc);
    }

  private:
    static const sockaddr* raw(const Bytes& address) {
        return reinterpret_cast<const sockaddr*>(address.data());
    }
    static socklen_t size(const Bytes& address) { return static_cast<socklen_t>(address.size()); }
    static Result plain(ssize_t rc) { return rc < 0 ? Result{-errno} : Result{rc}; }
    int fd(int s) const { return fds_[s]; }
    Result made(int fd) {
        if (fd < 0) return {-errno};
        fds_.push_back(fd);
        return {0};
    }
    const Bytes& find(int s, int to) {
        if (to >= 0) return addresses_[to];
        int family = AF_INET;
        socklen_t length = sizeof(family);
        getsockopt(fd(s), SOL_SOCKET, SO_DOMAIN, &family, &length);
        nobody_ = family == AF_UNIX ? unix_address(directory_ + "/nobody")
                                    : address_of(family == AF_INET6 ? "::1" : "127.0.0.1", 1);
        return nobody_;
    }

    std::string directory_;
    std::vector<int> fds_;
    std::vector<Bytes> addresses_;
    Bytes nobody_;
};

/// By commands.
class Offloaded final : public Calls {
  public:
    explicit Offloaded(Domain& domain) : client_(domain) {}
    Result socket(int family, int type, int protocol) override {
        families_.push_back(family);
        const Result result = made(client_.socket(family, type, protocol));
        if (result.value < 0) families_.pop_back();
        return result;
    }
    Result bind(int s, int family) override {
        addresses_.resize(std::max<size_t>(addresses_.size(), s + 1));
        Bytes address = family == AF_UNIX ? unix_address(std::to_string(s))
                                          : address_of(family == AF_INET ? "127.0.0.1" : "::1", 0);
        if (const int rc = client_.bind(handle(s), address); rc < 0) return {rc};
        if (family != AF_UNIX)
            address = address_of(family == AF_INET ? "127.0.0.1" : "::1", client_.bound_port(handle(s)));
        addresses_[s] = address;
        return {0};
    }
    Result listen(int s, int backlog) override {
        return {client_.simple(FC_OP_LISTEN, handle(s), static_cast<uint64_t>(backlog))};
    }
    Result accept(int s) override {
        families_.push_back(families_[s]);
        const Result result = made(client_.simple(FC_OP_ACCEPT, handle(s)));
        if (result.value < 0) families_.pop_back();
        return result;
    }
    Result connect(int s, int to) override { return {client_.connect(handle(s), find(s, to))}; }
    Result send(int s, const std::string& data, int flags) override {
        return {client_.send(handle(s), data, static_cast<uint16_t>(flags))};
    }
    Result recv(int s, uint32_t length, int flags) override {
        const int n = client_
                          .run(client_.recv_command(handle(s), SocketClient::kData, length,
                                                    static_cast<uint16_t>(flags)))
                          .result;
        return n < 0 ? Result{n} : Result{n, data(std::min<uint32_t>(n, length))};
    }
    Result send_to(int s, int to, const std::string& data) override {
        const Bytes& address = find(s, to);
        memcpy(client_.arena() + SocketClient::kAddress, address.data(), address.size());
        memcpy(client_.arena() + SocketClient::kData, data.data(), data.size());
        fc_command c = client_.message(FC_OP_SENDMSG, handle(s), static_cast<uint32_t>(address.size()),
                                       SocketClient::kData, static_cast<uint32_t>(data.size()));
        c.op_flags = FC_MSG_DONTWAIT;
        return {client_.run(c).result};
    }
    Result recv_message(int s, uint32_t length) override {
        fc_command c = client_.message(FC_OP_RECVMSG, handle(s), 128, SocketClient::kData, length / 2);
        const fc_iov second{SocketClient::kData + length / 2, 0, length - length / 2};
        memcpy(client_.arena() + SocketClient::kMessage + 64 + sizeof(fc_iov), &second, sizeof(second));
        const uint32_t two = 2;
        memcpy(client_.arena() + SocketClient::kMessage + offsetof(fc_msg, iov_count), &two, 4);
        c.op_flags = FC_MSG_DONTWAIT;
        const int n = client_.run(c).result;
        if (n < 0) return {n};
        return {n, data(static_cast<uint32_t>(n)) + "|" + std::to_string(client_.filled_message().flags)};
    }
    Result shutdown(int s, int how) override {
        return {client_.simple(FC_OP_SHUTDOWN, handle(s), static_cast<uint64_t>(how))};
    }
    Result get_option(int s, int level, int name) override {
        const int value = client_.get_option(handle(s), level, name);
        return value < -900000 ? Result{value + 1000000} : Result{4, std::to_string(value)};
    }
    Result set_option(int s, int level, int name, int value) override {
        return {client_.set_option(handle(s), level, name, value)};
    }
    Result names(int s) override {
        const auto ask = [&](uint8_t op) {
            const fc_command c =
                client_.with_memory(client_.command(op, handle(s)), SocketClient::kData, 128);
            const int n = client_.run(c).result;
            return n >= 0 && families_[s] == AF_UNIX ? AF_UNIX : n;
        };
        const int own = ask(FC_OP_GETSOCKNAME);
        return {0, describe_names(own, ask(FC_OP_GETPEERNAME))};
    }
    Result poll(int s, int events) override {
        return {client_.simple(FC_OP_POLL, handle(s), static_cast<uint64_t>(events))};
    }
    Result close(int s) override { return {client_.simple(FC_OP_CLOSE, handle(s))}; }

  private:
    uint32_t handle(int s) const { return handles_[s]; }
    std::string data(uint32_t length) {
        return {reinterpret_cast<const char*>(client_.arena() + SocketClient::kData), length};
    }
    Result made(int handle) {
        if (handle < 0) return {handle};
        handles_.push_back(static_cast<uint32_t>(handle));
        return {0};
    }
    const Bytes& find(int s, int to) {
        if (to >= 0) return addresses_[to];
        nobody_ = families_[s] == AF_UNIX ? unix_address("nobody")
                                          : address_of(families_[s] == AF_INET6 ? "::1" : "127.0.0.1", 1);
        return nobody_;
    }

    SocketClient client_;
    std::vector<uint32_t> handles_;
    std::vector<int> families_;
    std::vector<Bytes> addresses_;
    Bytes nobody_;
};

struct Kind {
    const char* name;
    int family;
    int type;
};

class SocketDiff : public ::testing::TestWithParam<Kind> {
  protected:
    SocketDiff() : direct_(direct_dir_.path().string()) {
        DomainConfig config;
        config.shares.push_back({dir_.path().string(), true});
        config.net = allow_all();
        config.net.unix_sockets = true;
        publish_range(config.net, GetParam().family == AF_INET6 ? "::1" : "127.0.0.1");
        domain_ = engine_.create_domain(config);
        offloaded_.emplace(*domain_);
    }

    // One call both ways.
    template <typename Call>
    Result same(const std::string& what, Call call) {
        log_.push_back(what);
        if (log_.size() > 30) log_.pop_front();
        const Result expected = call(static_cast<Calls&>(direct_));
        const Result got = call(static_cast<Calls&>(*offloaded_));
        std::string before;
        for (const std::string& line : log_)
            before += "\n  " + line;
        EXPECT_EQ(got, expected) << "after" << before;
        return got;
    }
    /// Only what does not wait: an answer that may still be on its way is given some time.
    bool ready(int s, int events) { return direct_.poll_for(s, events, 3).value > 0; }

    void random_sequence(uint32_t seed);
    void step(std::mt19937& random);
    int pick(std::mt19937& random) { return static_cast<int>(random() % sockets_.size()); }

    struct Known {
        bool open = true, bound = false, listening = false, shut = false;
        bool unbound =
            false;  ///< a failed connect or a reset took (or takes) away a port that the kernel had chosen
        int pending = 0;  ///< connections to accept
    };

    TempDir dir_, direct_dir_;
    Engine engine_{EngineConfig{.blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
    Direct direct_;
    std::optional<Offloaded> offloaded_;
    std::vector<Known> sockets_;
    std::deque<std::string> log_;
};

std::string random_text(std::mt19937& random, size_t most) {
    std::string text(random() % most, '\0');
    for (char& c : text)
        c = static_cast<char>('a' + random() % 26);
    return text;
}

void SocketDiff::step(std::mt19937& random) {
    // Not a structured binding: clang 14 does not capture those.
    const int family = GetParam().family;
    const int type = GetParam().type;
    const bool stream = type == SOCK_STREAM;
    if (sockets_.size() < 3 || (random() % 12 == 0 && sockets_.size() < 24)) {
        same("socket", [&](Calls& c) { return c.socket(family, type, 0); });
        sockets_.emplace_back();
        return;
    }
    const int s = pick(random), other = pick(random);
    Known& known = sockets_[s];
    if (!known.open) return;
    const std::string n = std::to_string(s) + " ";
    switch (random() % 14) {
        case 0:
            if (known.unbound) return;  // a port of the policy's choice stays
            if (same("bind " + n, [&](Calls& c) { return c.bind(s, family); }).value == 0) known.bound = true;
            return;
        case 1:
            // Without a bind the kernel would take a port by itself; so does farcall, but that is policy's
            // matter.
            if (!known.bound) return;
            if (same("listen " + n, [&](Calls& c) { return c.listen(s, 20); }).value == 0)
                known.listening = true;
            return;
        case 2: {
            if (known.listening && known.pending == 0) return;  // would wait
            const bool made = same("accept " + n, [&](Calls& c) { return c.accept(s); }).value == 0;
            if (!made) return;
            known.pending--;
            sockets_.emplace_back();
            return;
        }
        case 3: {
            const Known& to = sockets_[other];
            if (to.listening && (!to.open || to.pending > 10)) return;
            const bool reaches = to.bound && to.open && random() % 5 != 0;
            const int target = reaches ? other : -1;
            const Result result =
                same("connect " + n + std::to_string(target), [&](Calls& c) { return c.connect(s, target); });
            if (result.value == 0 && type != SOCK_DGRAM && target >= 0 && to.listening)
                sockets_[target].pending++;
            if (result.value < 0 && known.bound && type == SOCK_STREAM)
                known.bound = false, known.unbound = true;
            if (result.value >= 0 && known.bound && type == SOCK_STREAM && family != AF_UNIX)
                known.unbound = true;  // a reset does the same, at a time of the kernel's choice
            return;
        }
        case 4:
        case 5: {
            const std::string text = random_text(random, kMostBytes);
            same("send " + n + std::to_string(text.size()),
                 [&](Calls& c) { return c.send(s, text, MSG_DONTWAIT); });
            return;
        }
        case 6:
        case 7: {
            static_cast<void>(ready(s, POLLIN));
            const int flags = MSG_DONTWAIT | (random() % 3 == 0 ? MSG_PEEK : 0) |
                              (!stream && random() % 3 == 0 ? MSG_TRUNC : 0);
            const auto length = static_cast<uint32_t>(1 + random() % kMostBytes);
            same("recv " + n + std::to_string(length) + " flags " + std::to_string(flags),
                 [&](Calls& c) { return c.recv(s, length, flags); });
            return;
        }
        case 8: {
            if (type != SOCK_DGRAM || known.shut)
                return;  // then it has two faults, and which is told first differs
            const int target = sockets_[other].bound && sockets_[other].open ? other : -1;
            if (family == AF_UNIX && target < 0 && !ready(s, POLLOUT)) return;  // likewise
            const std::string text = random_text(random, 500);
            same("send_to " + n + std::to_string(target),
                 [&](Calls& c) { return c.send_to(s, target, text); });
            return;
        }
        case 9:
            static_cast<void>(ready(s, POLLIN));
            same("recv_message " + n, [&](Calls& c) { return c.recv_message(s, 1000); });
            return;
        case 10:
            if (random() % 4 == 0) {
                const int how = static_cast<int>(random() % 4);
                if (known.listening) return;
                same("shutdown " + n + std::to_string(how), [&](Calls& c) { return c.shutdown(s, how); });
                known.shut = true;
            } else {
                same("names " + n, [&](Calls& c) { return c.names(s); });
            }
            return;
        case 11: {
            static constexpr std::pair<int, int> kOptions[] = {
                {SOL_SOCKET, SO_TYPE},       {SOL_SOCKET, SO_KEEPALIVE}, {SOL_SOCKET, SO_DOMAIN},
                {SOL_SOCKET, SO_ACCEPTCONN}, {SOL_SOCKET, SO_SNDBUF},    {IPPROTO_TCP, TCP_NODELAY},
                {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_IP, IP_TTL},       {IPPROTO_IPV6, IPV6_V6ONLY}};
            const std::pair<int, int>& pick = kOptions[random() % std::size(kOptions)];
            const int level = pick.first;
            const int option = pick.second;
            const int value = static_cast<int>(random() % 300) - 2;
            if (random() % 2 && option != SO_TYPE && option != SO_DOMAIN && option != SO_ACCEPTCONN &&
                option != IPV6_V6ONLY) {
                same("set_option " + n + std::to_string(level) + " " + std::to_string(option),
                     [&](Calls& c) { return c.set_option(s, level, option, value); });
            }
            same("get_option " + n + std::to_string(level) + " " + std::to_string(option),
                 [&](Calls& c) { return c.get_option(s, level, option); });
            return;
        }
        case 12: {
            const int events = POLLIN | POLLOUT | POLLRDHUP;
            if (!ready(s, events)) return;
            same("poll " + n, [&](Calls& c) { return c.poll(s, events); });
            return;
        }
        default:
            if (random() % 3 != 0) return;
            // Closing with connections that nobody took would reset them, at a time of the kernel's choice.
            if (known.listening && known.pending > 0) return;
            same("close " + n, [&](Calls& c) { return c.close(s); });
            known.open = false;
    }
}

TEST_P(SocketDiff, RandomSequencesAreTheSame) {
    if (GetParam().family == AF_INET6 && !have_ipv6()) GTEST_SKIP() << kNoIpv6;
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    for (int i = 0; i < kSteps && !HasFailure(); i++)
        step(random);
}

TEST_P(SocketDiff, BytesAndEndsAreTheSame) {
    if (GetParam().family == AF_INET6 && !have_ipv6()) GTEST_SKIP() << kNoIpv6;
    // Not a structured binding: clang 14 does not capture those.
    const int family = GetParam().family;
    const int type = GetParam().type;
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    same("socket", [&](Calls& c) { return c.socket(family, type, 0); });
    same("bind", [&](Calls& c) { return c.bind(0, family); });
    same("socket", [&](Calls& c) { return c.socket(family, type, 0); });
    int receiver = 0;
    if (type != SOCK_DGRAM) {
        same("listen", [&](Calls& c) { return c.listen(0, 5); });
        same("connect", [&](Calls& c) { return c.connect(1, 0); });
        same("accept", [&](Calls& c) { return c.accept(0); });
        receiver = 2;
    } else {
        same("connect", [&](Calls& c) { return c.connect(1, 0); });
    }
    for (int i = 0; i < 100 && !HasFailure(); i++) {
        const std::string text = random_text(random, kMostBytes) + "x";
        const auto length = static_cast<uint32_t>(text.size());
        const int piece = type == SOCK_STREAM ? MSG_WAITALL : 0;
        same("send", [&](Calls& c) { return c.send(1, text, 0); });
        same("peek", [&](Calls& c) { return c.recv(receiver, 1, MSG_PEEK); });
        same("recv", [&](Calls& c) { return c.recv(receiver, length, piece); });
    }
    if (type != SOCK_DGRAM) {
        same("shutdown", [&](Calls& c) { return c.shutdown(1, SHUT_WR); });
        same("end", [&](Calls& c) { return c.recv(receiver, 10, 0); });
        same("pipe", [&](Calls& c) { return c.send(1, "x", 0); });
        same("poll", [&](Calls& c) { return c.poll(receiver, POLLIN | POLLRDHUP); });
    }
    same("close", [&](Calls& c) { return c.close(1); });
}

TEST(SocketDiffErrors, KindsOfSockets) {
    TempDir dir;
    Engine engine(EngineConfig{.spin = std::chrono::microseconds(20)});
    DomainConfig config;
    config.net = allow_all();
    const auto domain = engine.create_domain(config);
    Direct direct(dir.path().string());
    Offloaded offloaded(*domain);
    // Kinds that the policy refuses with an error of its own are net_policy_test's.
    const int kinds[][3] = {{AF_INET, SOCK_STREAM, IPPROTO_UDP},
                            {AF_INET, SOCK_DGRAM, IPPROTO_TCP},
                            {AF_INET, SOCK_STREAM, IPPROTO_TCP},
                            {AF_INET, SOCK_SEQPACKET, 0},
                            {60, SOCK_STREAM, 0},
                            {AF_INET6, SOCK_DGRAM, IPPROTO_TCP}};
    for (const auto& [family, type, protocol] : kinds)
        EXPECT_EQ(offloaded.socket(family, type, protocol), direct.socket(family, type, protocol))
            << family << " " << type << " " << protocol;
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, SocketDiff,
    ::testing::Values(Kind{"Tcp4", AF_INET, SOCK_STREAM}, Kind{"Tcp6", AF_INET6, SOCK_STREAM},
                      Kind{"Udp4", AF_INET, SOCK_DGRAM}, Kind{"Udp6", AF_INET6, SOCK_DGRAM},
                      Kind{"UnixStream", AF_UNIX, SOCK_STREAM}, Kind{"UnixDatagram", AF_UNIX, SOCK_DGRAM},
                      Kind{"UnixPacket", AF_UNIX, SOCK_SEQPACKET}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace farcall::test
