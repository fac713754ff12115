// SPDX-License-Identifier: MIT
#include "host-lib/socket_address.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace farcall {
namespace {

constexpr size_t kShortestInet6 = offsetof(sockaddr_in6, sin6_scope_id);
constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::optional<Endpoint> SocketAddress::endpoint() const {
    Endpoint out;
    if (family() == AF_INET) {
        const auto* in = reinterpret_cast<const sockaddr_in*>(&storage);
        std::memcpy(out.address.bytes.data(), &in->sin_addr, 4);
        out.port = ntohs(in->sin_port);
        return out;
    }
    if (family() != AF_INET6) return std::nullopt;
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&storage);
    out.port = ntohs(in->sin6_port);
    const uint8_t* bytes = in->sin6_addr.s6_addr;
    if (std::equal(kMapped.begin(), kMapped.end(), bytes)) {
        std::memcpy(out.address.bytes.data(), bytes + kMapped.size(), 4);
        return out;
    }
    out.address.v4 = false;
    std::memcpy(out.address.bytes.data(), bytes, 16);
    return out;
}

std::string SocketAddress::unix_path() const {
    const auto* un = reinterpret_cast<const sockaddr_un*>(&storage);
    if (length <= offsetof(sockaddr_un, sun_path)) return {};
    return {un->sun_path, strnlen(un->sun_path, length - offsetof(sockaddr_un, sun_path))};
}

int read_address(const Region& region, uint64_t offset, uint64_t length, SocketAddress* out) {
    *out = {};
    if (length < sizeof(sa_family_t) || length > sizeof(out->storage)) return -EINVAL;
    region.copy_out(offset, &out->storage, length);
    const auto keep = [&](size_t least, size_t most) {
        if (length < least) return -EINVAL;
        const size_t used = std::min<size_t>(length, most);
        std::memset(reinterpret_cast<char*>(&out->storage) + used, 0, sizeof(out->storage) - used);
        out->length = static_cast<socklen_t>(most);
        return 0;
    };
    switch (out->family()) {
        case AF_INET:
            return keep(sizeof(sockaddr_in), sizeof(sockaddr_in));
        case AF_INET6:
            return keep(kShortestInet6, sizeof(sockaddr_in6));
        case AF_UNIX:
            if (length > sizeof(sockaddr_un)) return -EINVAL;
            out->length = static_cast<socklen_t>(length);
            return 0;
        case AF_UNSPEC:
            out->length = static_cast<socklen_t>(length);
            return 0;
        default:
            return -EAFNOSUPPORT;
    }
}

std::optional<SocketAddress> make_address(int family, const Endpoint& endpoint, uint32_t scope) {
    SocketAddress out;
    if (family == AF_INET) {
        if (!endpoint.address.v4) return std::nullopt;
        auto* in = reinterpret_cast<sockaddr_in*>(&out.storage);
        in->sin_family = AF_INET;
        in->sin_port = htons(endpoint.port);
        std::memcpy(&in->sin_addr, endpoint.address.bytes.data(), 4);
        out.length = sizeof(*in);
        return out;
    }
    auto* in = reinterpret_cast<sockaddr_in6*>(&out.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(endpoint.port);
    in->sin6_scope_id = scope;
    uint8_t* bytes = in->sin6_addr.s6_addr;
    if (endpoint.address.v4) {
        std::copy(kMapped.begin(), kMapped.end(), bytes);
        std::memcpy(bytes + kMapped.size(), endpoint.address.bytes.data(), 4);
    } else {
        std::memcpy(bytes, endpoint.address.bytes.data(), 16);
    }
    out.length = sizeof(*in);
    return out;
}

uint32_t scope_of(const SocketAddress& address) {
    return address.family() == AF_INET6
               ? reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_scope_id
               : 0;
}

void set_port(SocketAddress& address, uint16_t port) {
    // The same place in both families.
    if (address.family() == AF_INET || address.family() == AF_INET6)
        reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
}

SocketAddress make_unix_address(const std::string& path) {
    SocketAddress out;
    auto* un = reinterpret_cast<sockaddr_un*>(&out.storage);
    un->sun_family = AF_UNIX;
    std::memcpy(un->sun_path, path.data(), std::min(path.size(), sizeof(un->sun_path) - 1));
    out.length =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + (path.empty() ? 0 : path.size() + 1));
    return out;
}

}  // namespace farcall
