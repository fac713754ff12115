// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/test_client.h"

namespace farcall::test {

/// A network policy that lets everything out.
inline NetConfig allow_all() {
    NetConfig config;
    for (const NetProtocol protocol : {NetProtocol::kTcp, NetProtocol::kUdp}) {
        for (const bool v4 : {true, false}) {
            NetRule rule;
            rule.protocol = protocol;
            rule.address.v4 = v4;
            config.allow.push_back(rule);
        }
    }
    return config;
}

inline IpAddress ip(const char* text) {
    IpAddress out;
    out.v4 = strchr(text, ':') == nullptr;
    EXPECT_EQ(inet_pton(out.v4 ? AF_INET : AF_INET6, text, out.bytes.data()), 1) << text;
    return out;
}

/// A range of ports that is published, for both protocols; this process's own, so that tests that run at the
/// same time do not meet.
inline void publish_range(NetConfig& config, const char* address) {
    const auto first = static_cast<uint16_t>(20000 + getpid() % 250 * 40);
    for (const NetProtocol protocol : {NetProtocol::kTcp, NetProtocol::kUdp}) {
        PublishedPorts ports;
        ports.protocol = protocol;
        ports.address = ip(address);
        ports.first_port = ports.guest_port = first;
        ports.last_port = static_cast<uint16_t>(first + 39);
        config.publish.push_back(ports);
    }
}

/// struct sockaddr_* as bytes.
using Bytes = std::vector<std::byte>;

template <typename T>
Bytes bytes_of(const T& value) {
    Bytes out(sizeof(T));
    memcpy(out.data(), &value, sizeof(T));
    return out;
}

inline Bytes address_of(const char* text, uint16_t port) {
    if (strchr(text, ':') == nullptr) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        inet_pton(AF_INET, text, &in.sin_addr);
        return bytes_of(in);
    }
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    inet_pton(AF_INET6, text, &in.sin6_addr);
    return bytes_of(in);
}

inline Bytes unix_address(const std::string& path) {
    Bytes out(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    const sa_family_t family = AF_UNIX;
    memcpy(out.data(), &family, sizeof(family));
    memcpy(out.data() + offsetof(sockaddr_un, sun_path), path.data(), path.size());
    return out;
}

inline uint16_t port_of(const std::byte* address) {
    sockaddr_in in;
    memcpy(&in, address, sizeof(in));
    return ntohs(in.sin_port);
}

inline bool have_ipv6() {
    const UniqueFd fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Bytes address = address_of("::1", 0);
    return fd && bind(fd.get(), reinterpret_cast<const sockaddr*>(address.data()),
                      static_cast<socklen_t>(address.size())) == 0;
}
constexpr const char* kNoIpv6 = "NOT TESTED: this machine has no IPv6 loopback address";

/// The ops on sockets, by a client that runs one command after the other.
class SocketClient : public TestClient {
  public:
    using TestClient::TestClient;
    static constexpr uint64_t kAddress = 8192;  ///< arena offsets
    static constexpr uint64_t kMessage = 12288;
    static constexpr uint64_t kData = 65536;

    fc_command command(uint8_t op, uint32_t handle, uint64_t offset = 0) {
        fc_command c{};
        c.opcode = op;
        c.id = next_data_++;
        c.handle = handle;
        c.offset = offset;
        return c;
    }
    fc_command with_memory(fc_command c, uint64_t buffer, uint32_t length) {
        c.buffer = buffer;
        c.length = length;
        return c;
    }
    int simple(uint8_t op, uint32_t handle, uint64_t offset = 0) {
        return run(command(op, handle, offset)).result;
    }

    int socket(int family, int type, int protocol = 0) {
        return simple(FC_OP_SOCKET, 0,
                      static_cast<uint64_t>(family) | static_cast<uint64_t>(type) << 16 |
                          static_cast<uint64_t>(protocol) << 32);
    }
    fc_command address_command(uint8_t op, uint32_t handle, const Bytes& address, uint64_t directory = 0) {
        memcpy(arena() + kAddress, address.data(), address.size());
        return with_memory(command(op, handle, directory), kAddress, static_cast<uint32_t>(address.size()));
    }
    int bind(uint32_t handle, const Bytes& address, uint64_t directory = 0) {
        return run(address_command(FC_OP_BIND, handle, address, directory)).result;
    }
    int connect(uint32_t handle, const Bytes& address, uint64_t directory = 0) {
        return run(address_command(FC_OP_CONNECT, handle, address, directory)).result;
    }
    fc_command send_command(uint32_t handle, uint64_t buffer, uint32_t length, uint16_t flags = 0) {
        fc_command c = with_memory(command(FC_OP_SEND, handle), buffer, length);
        c.op_flags = flags;
        return c;
    }
    fc_command recv_command(uint32_t handle, uint64_t buffer, uint32_t length, uint16_t flags = 0) {
        fc_command c = send_command(handle, buffer, length, flags);
        c.opcode = FC_OP_RECV;
        return c;
    }
    int send(uint32_t handle, const std::string& text, uint16_t flags = 0) {
        memcpy(arena() + kData, text.data(), text.size());
        return run(send_command(handle, kData, static_cast<uint32_t>(text.size()), flags)).result;
    }
    /// The data, or "-errno".
    std::string recv(uint32_t handle, uint32_t length = 1000, uint16_t flags = 0) {
        const int n = run(recv_command(handle, kData, length, flags)).result;
        if (n < 0) return std::to_string(n);
        return {reinterpret_cast<const char*>(arena() + kData), static_cast<size_t>(n)};
    }
    /// SENDMSG or RECVMSG of one piece; the address goes to and comes from kAddress.
    fc_command message(uint8_t op, uint32_t handle, uint32_t address_bytes, uint64_t data, uint32_t length) {
        const fc_iov piece{data, 0, length};
        memcpy(arena() + kMessage + 64, &piece, sizeof(piece));
        fc_msg out{};
        out.name = {kAddress, 0, address_bytes};
        out.iov = kMessage + 64;
        out.iov_count = 1;
        memcpy(arena() + kMessage, &out, sizeof(out));
        return with_memory(command(op, handle), kMessage, sizeof(out));
    }
    fc_msg filled_message() {
        fc_msg out;
        memcpy(&out, arena() + kMessage, sizeof(out));
        return out;
    }
    int send_to(uint32_t handle, const Bytes& address, const std::string& text, uint64_t directory = 0) {
        memcpy(arena() + kAddress, address.data(), address.size());
        memcpy(arena() + kData, text.data(), text.size());
        fc_command c = message(FC_OP_SENDMSG, handle, static_cast<uint32_t>(address.size()), kData,
                               static_cast<uint32_t>(text.size()));
        c.offset = directory;
        return run(c).result;
    }
    /// Its port as the client sees it.
    uint16_t bound_port(uint32_t handle) {
        EXPECT_GE(run(with_memory(command(FC_OP_GETSOCKNAME, handle), kAddress, 128)).result, 16);
        return port_of(arena() + kAddress);
    }
    int set_option(uint32_t handle, int level, int name, int value) {
        memcpy(arena() + kData, &value, sizeof(value));
        const uint64_t which = static_cast<uint64_t>(level) | static_cast<uint64_t>(name) << 32;
        return run(with_memory(command(FC_OP_SETSOCKOPT, handle, which), kData, 4)).result;
    }
    /// Its value, or -errno as a result below -1000000.
    int get_option(uint32_t handle, int level, int name) {
        const uint64_t which = static_cast<uint64_t>(level) | static_cast<uint64_t>(name) << 32;
        const int n = run(with_memory(command(FC_OP_GETSOCKOPT, handle, which), kData, 4)).result;
        if (n != 4) return n - 1000000;
        int value;
        memcpy(&value, arena() + kData, sizeof(value));
        return value;
    }
    uint32_t must(int result) {
        EXPECT_GE(result, 0) << strerror(-result);
        return static_cast<uint32_t>(result);
    }
    /// A listening TCP socket at a published port of its own; *port gets it.
    uint32_t listener(const char* address, uint16_t* port) {
        const uint32_t handle = must(socket(strchr(address, ':') ? AF_INET6 : AF_INET, SOCK_STREAM));
        EXPECT_EQ(set_option(handle, SOL_SOCKET, SO_REUSEADDR, 1), 0);
        EXPECT_EQ(bind(handle, address_of(address, 0)), 0);
        EXPECT_EQ(simple(FC_OP_LISTEN, handle, 128), 0);
        *port = bound_port(handle);
        return handle;
    }
    /// Two ends of a TCP connection, both of this client.
    void connected_pair(uint32_t* a, uint32_t* b) {
        uint16_t port = 0;
        const uint32_t listens = listener("127.0.0.1", &port);
        *a = must(socket(AF_INET, SOCK_STREAM));
        EXPECT_EQ(connect(*a, address_of("127.0.0.1", port)), 0);
        *b = must(simple(FC_OP_ACCEPT, listens));
        EXPECT_EQ(simple(FC_OP_CLOSE, listens), 0);
    }

  private:
    uint64_t next_data_ = 1000;
};

}  // namespace farcall::test
