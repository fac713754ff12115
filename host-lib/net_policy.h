// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace farcall {

enum class NetProtocol : uint8_t { kTcp, kUdp };

/// An IP address as the policy judges it: an IPv4-mapped IPv6 address is the IPv4 address. `bytes` are in
/// network order; IPv4 uses the first four.
struct IpAddress {
    bool v4 = true;
    std::array<uint8_t, 16> bytes{};

    bool unspecified() const { return bytes == std::array<uint8_t, 16>{}; }
    auto operator<=>(const IpAddress&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// Address and port (host order).
struct Endpoint {
    IpAddress address;
    uint16_t port = 0;

    auto operator<=>(const Endpoint&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// Peers that clients may talk to: those whose address agrees with `address` in the first `prefix` bits (0 to
/// 32 or 128).
struct NetRule {
    NetProtocol protocol = NetProtocol::kTcp;
    IpAddress address;
    unsigned prefix = 0;
    uint16_t first_port = 0;
    uint16_t last_port = 65535;
};

/// Ports of this host that clients may bind. A single port may have another number for them; a range has not,
/// and is also what bind() to port 0 takes a port from.
struct PublishedPorts {
    NetProtocol protocol = NetProtocol::kTcp;
    IpAddress address;  ///< where the host listens; unspecified: on all addresses of its family
    uint16_t first_port = 0;
    uint16_t last_port = 0;
    uint16_t guest_port = 0;  ///< for first_port; equal to it in a range

    bool range() const { return first_port != last_port; }
};

/// What the clients of a domain may do on the host's network. Nothing is the default.
struct NetConfig {
    std::vector<NetRule> allow;
    std::vector<PublishedPorts> publish;
    bool unix_sockets = false;  ///< sockets in shares: connect to any, bind in writable ones

    bool empty() const { return allow.empty() && publish.empty() && !unix_sockets; }
};

/// A place on the host where a bind() may go.
struct BindChoice {
    Endpoint host;
    uint16_t guest_port = 0;
};

/// Judges by a NetConfig. Immutable: any thread.
class NetPolicy {
  public:
    NetPolicy() = default;
    explicit NetPolicy(NetConfig config) : config_(std::move(config)) {}

    /// At least one kind of socket is of any use.
    bool any() const { return !config_.empty(); }
    bool unix_sockets() const { return config_.unix_sockets; }

    /// May clients talk to this peer? An unspecified address has to be replaced by the loopback address
    /// before, which is what Linux makes of it.
    bool may_reach(NetProtocol protocol, const Endpoint& peer) const;
    /// True when may_reach() is, for every peer.
    bool reaches_all(NetProtocol protocol) const;

    /// Where a bind to `wanted` may go, in order of preference, at most out.size() of them. For port 0 these
    /// are ports of the ranges, from number `start` on, which the caller counts up. Returns how many, or
    /// -EPERM: the port is not published; -EADDRNOTAVAIL: it is, at other addresses.
    int bind_choices(NetProtocol protocol, const Endpoint& wanted, uint32_t start,
                     std::span<BindChoice> out) const;

  private:
    NetConfig config_;
};

/// Peers that a UDP socket at a published port has heard from lately: it may answer them. Holds some
/// thousands of the last ones.
class RecentPeers {
  public:
    void add(const Endpoint& peer);
    bool has(const Endpoint& peer) const { return current_.contains(peer) || previous_.contains(peer); }

  private:
    std::set<Endpoint> current_;
    std::set<Endpoint> previous_;
};

}  // namespace farcall
