// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "host-lib/net_policy.h"
#include "host-lib/region.h"

namespace farcall {

/// A socket address in the form of Linux's struct sockaddr_*.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    int family() const { return storage.ss_family; }
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    /// For the system calls that fill it.
    socklen_t* room() {
        length = sizeof(storage);
        return &length;
    }

    /// Address and port of AF_INET and AF_INET6; an IPv4-mapped address as IPv4.
    std::optional<Endpoint> endpoint() const;
    /// The path of AF_UNIX, up to its first NUL. Empty: none, or an abstract name.
    std::string unix_path() const;
};

/// Copies an address out of client memory, once: the range must be inside. What Linux would ignore behind it
/// is dropped. -EINVAL: too short or too long; -EAFNOSUPPORT: not IP, Unix or AF_UNSPEC.
int read_address(const Region& region, uint64_t offset, uint64_t length, SocketAddress* out);

/// An endpoint as an address that a socket of `family` (AF_INET, AF_INET6) takes; nothing for IPv6 on
/// AF_INET. `scope` is the interface of a link-local address.
std::optional<SocketAddress> make_address(int family, const Endpoint& endpoint, uint32_t scope = 0);
uint32_t scope_of(const SocketAddress& address);

/// Replaces the port of an IP address; `port` in host order.
void set_port(SocketAddress& address, uint16_t port);

/// An address of AF_UNIX with this path, which may be empty (no name). Must be shorter than sun_path.
SocketAddress make_unix_address(const std::string& path);

}  // namespace farcall
