// SPDX-License-Identifier: MIT
#include "host-lib/ancillary.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "host-lib/socket.h"

namespace farcall {
namespace {

constexpr uint32_t kSent = FC_ANCILLARY_IP_PKTINFO | FC_ANCILLARY_IP_TTL | FC_ANCILLARY_IP_TOS |
                           FC_ANCILLARY_IPV6_PKTINFO | FC_ANCILLARY_IPV6_HOPLIMIT | FC_ANCILLARY_IPV6_TCLASS;

// What a control message holds, if it is long enough.
template <typename T>
bool take(const cmsghdr& control, T* out) {
    if (control.cmsg_len < CMSG_LEN(sizeof(T))) return false;
    std::memcpy(out, CMSG_DATA(&control), sizeof(T));
    return true;
}

// A number of eight bits, which IP_TOS brings as a byte and all others as an int.
bool take_number(const cmsghdr& control, uint8_t* out) {
    int number = 0;
    if (!take(control, &number)) return take(control, out);
    *out = static_cast<uint8_t>(number);
    return true;
}

void read_one(const cmsghdr& control, fc_ancillary* out) {
    const auto found = [&](uint32_t bit, bool whole) { out->present |= whole ? bit : 0; };
    in_pktinfo info4;
    in6_pktinfo info6;
    timespec time;
    const auto is = [&](int level, int type) {
        return control.cmsg_level == level && control.cmsg_type == type;
    };
    if (is(IPPROTO_IP, IP_PKTINFO) && take(control, &info4)) {
        std::memcpy(out->ip_to, &info4.ipi_addr, sizeof(out->ip_to));
        std::memcpy(out->ip_local, &info4.ipi_spec_dst, sizeof(out->ip_local));
        found(FC_ANCILLARY_IP_PKTINFO, true);
    } else if (is(IPPROTO_IPV6, IPV6_PKTINFO) && take(control, &info6)) {
        std::memcpy(out->ipv6_local, &info6.ipi6_addr, sizeof(out->ipv6_local));
        found(FC_ANCILLARY_IPV6_PKTINFO, true);
    } else if (is(IPPROTO_IP, IP_TTL)) {
        found(FC_ANCILLARY_IP_TTL, take_number(control, &out->ttl));
    } else if (is(IPPROTO_IP, IP_TOS)) {
        found(FC_ANCILLARY_IP_TOS, take_number(control, &out->tos));
    } else if (is(IPPROTO_IPV6, IPV6_HOPLIMIT)) {
        found(FC_ANCILLARY_IPV6_HOPLIMIT, take_number(control, &out->hop_limit));
    } else if (is(IPPROTO_IPV6, IPV6_TCLASS)) {
        found(FC_ANCILLARY_IPV6_TCLASS, take_number(control, &out->traffic_class));
    } else if (is(SOL_SOCKET, SCM_TIMESTAMPNS) && take(control, &time)) {
        out->time = static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
        found(FC_ANCILLARY_TIME, true);
    }
}

// Nothing: the kernel may choose.
std::optional<IpAddress> source_of(const fc_ancillary& ancillary) {
    SocketAddress source;
    if (ancillary.present & FC_ANCILLARY_IP_PKTINFO) {
        auto* in = reinterpret_cast<sockaddr_in*>(source.get());
        in->sin_family = AF_INET;
        std::memcpy(&in->sin_addr, ancillary.ip_local, sizeof(in->sin_addr));
    } else if (ancillary.present & FC_ANCILLARY_IPV6_PKTINFO) {
        auto* in = reinterpret_cast<sockaddr_in6*>(source.get());
        in->sin6_family = AF_INET6;
        std::memcpy(&in->sin6_addr, ancillary.ipv6_local, sizeof(in->sin6_addr));
    } else {
        return std::nullopt;
    }
    const IpAddress address = source.endpoint()->address;
    return address.unspecified() ? std::nullopt : std::optional(address);
}

}  // namespace

void ControlMessages::offer(msghdr& header) {
    header.msg_control = buffer_.data();
    header.msg_controllen = buffer_.size();
}

fc_ancillary ControlMessages::read(const msghdr& header) {
    fc_ancillary out{};
    msghdr copy = header;  // CMSG_NXTHDR() wants one that may change
    for (cmsghdr* control = CMSG_FIRSTHDR(&copy); control != nullptr; control = CMSG_NXTHDR(&copy, control))
        read_one(*control, &out);
    return out;
}

template <typename T>
void ControlMessages::append(msghdr& header, int level, int type, const T& value) {
    auto* control = reinterpret_cast<cmsghdr*>(buffer_.data() + header.msg_controllen);
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(sizeof(T));
    std::memcpy(CMSG_DATA(control), &value, sizeof(T));
    header.msg_control = buffer_.data();
    header.msg_controllen += CMSG_SPACE(sizeof(T));
}

void ControlMessages::write(const fc_ancillary& ancillary, msghdr& header) {
    static_assert(CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(sizeof(in6_pktinfo)) +
                      4 * CMSG_SPACE(sizeof(int)) <=
                  sizeof(buffer_));
    buffer_.fill(std::byte{});
    header.msg_controllen = 0;
    if (ancillary.present & FC_ANCILLARY_IP_PKTINFO) {
        in_pktinfo info{};  // no interface: which one is the host's business
        std::memcpy(&info.ipi_spec_dst, ancillary.ip_local, sizeof(info.ipi_spec_dst));
        append(header, IPPROTO_IP, IP_PKTINFO, info);
    }
    if (ancillary.present & FC_ANCILLARY_IPV6_PKTINFO) {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, ancillary.ipv6_local, sizeof(info.ipi6_addr));
        append(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
    const auto number = [&](uint32_t bit, int level, int type, int value) {
        if (ancillary.present & bit) append(header, level, type, value);
    };
    number(FC_ANCILLARY_IP_TTL, IPPROTO_IP, IP_TTL, ancillary.ttl);
    number(FC_ANCILLARY_IP_TOS, IPPROTO_IP, IP_TOS, ancillary.tos);
    number(FC_ANCILLARY_IPV6_HOPLIMIT, IPPROTO_IPV6, IPV6_HOPLIMIT, ancillary.hop_limit);
    number(FC_ANCILLARY_IPV6_TCLASS, IPPROTO_IPV6, IPV6_TCLASS, ancillary.traffic_class);
}

int judge_ancillary(const Socket& socket, const fc_ancillary& ancillary) {
    if (ancillary.present == 0) return 0;
    constexpr uint32_t kBoth = FC_ANCILLARY_IP_PKTINFO | FC_ANCILLARY_IPV6_PKTINFO;
    if ((ancillary.present & ~kSent) || (ancillary.present & kBoth) == kBoth) return -EINVAL;
    if (!socket.ip() || socket.stream()) return -EINVAL;
    const std::optional<IpAddress> source = source_of(ancillary);
    if (!source) return 0;
    SocketAddress own;
    if (!socket.bound || ::getsockname(socket.fd.get(), own.get(), own.room()) < 0) return -EINVAL;
    const IpAddress bound = own.endpoint()->address;
    return bound.unspecified() || bound == *source ? 0 : -EINVAL;
}

}  // namespace farcall
