// SPDX-License-Identifier: MIT
#include "host-lib/net_policy.h"

#include <algorithm>
#include <cerrno>
#include <optional>

namespace farcall {
namespace {

constexpr size_t kPeersPerGeneration = 2048;

bool same_prefix(const IpAddress& a, const IpAddress& b, unsigned bits) {
    if (a.v4 != b.v4) return false;
    const unsigned bytes = bits / 8, rest = bits % 8;
    if (!std::equal(a.bytes.begin(), a.bytes.begin() + bytes, b.bytes.begin())) return false;
    return rest == 0 || ((a.bytes[bytes] ^ b.bytes[bytes]) >> (8 - rest)) == 0;
}

bool matches(const NetRule& rule, const Endpoint& peer) {
    return peer.port >= rule.first_port && peer.port <= rule.last_port &&
           same_prefix(rule.address, peer.address, rule.prefix);
}

uint32_t port_count(const PublishedPorts& row) {
    return row.last_port - row.first_port + 1u;
}

// What both the client and the publisher want: never more than either.
std::optional<IpAddress> intersection(const IpAddress& published, const IpAddress& wanted) {
    if (wanted.unspecified()) {
        // A wildcard of IPv6 takes IPv4 in, but not the other way round.
        return wanted.v4 && !published.v4 ? std::nullopt : std::optional(published);
    }
    if (published.v4 != wanted.v4) return std::nullopt;
    return published.unspecified() || published == wanted ? std::optional(wanted) : std::nullopt;
}

}  // namespace

bool NetPolicy::may_reach(NetProtocol protocol, const Endpoint& peer) const {
    return std::any_of(config_.allow.begin(), config_.allow.end(),
                       [&](const NetRule& rule) { return rule.protocol == protocol && matches(rule, peer); });
}

bool NetPolicy::reaches_all(NetProtocol protocol) const {
    const auto covers = [&](bool v4) {
        return std::any_of(config_.allow.begin(), config_.allow.end(), [&](const NetRule& rule) {
            return rule.protocol == protocol && rule.address.v4 == v4 && rule.prefix == 0 &&
                   rule.first_port == 0 && rule.last_port == 65535;
        });
    };
    return covers(true) && covers(false);
}

int NetPolicy::bind_choices(NetProtocol protocol, const Endpoint& wanted, uint32_t start,
                            std::span<BindChoice> out) const {
    uint64_t total = 0;
    bool published = false;
    std::vector<std::pair<PublishedPorts, IpAddress>> rows;
    for (const PublishedPorts& row : config_.publish) {
        const uint32_t last_guest = row.guest_port + (row.last_port - row.first_port);
        const bool named =
            wanted.port == 0 ? row.range() : wanted.port >= row.guest_port && wanted.port <= last_guest;
        if (row.protocol != protocol || !named) continue;
        published = true;
        const std::optional<IpAddress> address = intersection(row.address, wanted.address);
        if (!address) continue;
        rows.emplace_back(row, *address);
        total += port_count(row);
    }
    if (!published) return -EPERM;
    if (rows.empty()) return -EADDRNOTAVAIL;
    size_t count = 0;
    if (wanted.port != 0) {
        for (const auto& [row, address] : rows) {
            if (count == out.size()) break;
            const auto port = static_cast<uint16_t>(row.first_port + (wanted.port - row.guest_port));
            out[count++] = {{address, port}, wanted.port};
        }
        return static_cast<int>(count);
    }
    for (; count < out.size() && count < total; count++) {
        uint64_t number = (start + count) % total;
        auto at = rows.begin();
        for (; number >= port_count(at->first); ++at)
            number -= port_count(at->first);
        const auto port = static_cast<uint16_t>(at->first.first_port + number);
        out[count] = {{at->second, port}, port};
    }
    return static_cast<int>(count);
}

void RecentPeers::add(const Endpoint& peer) {
    if (current_.contains(peer)) return;
    if (current_.size() >= kPeersPerGeneration) previous_ = std::exchange(current_, {});
    current_.insert(peer);
}

}  // namespace farcall
