// SPDX-License-Identifier: MIT
#include "vmm/net_option.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <string_view>

#include "host-lib/error.h"

namespace farcall::vmm {

namespace {

constexpr uint16_t kFirstFreePort = 1024;

bool parse_number(std::string_view text, unsigned most, unsigned& out) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
    return problem == std::errc() && end == text.data() + text.size() && out <= most;
}

std::optional<IpAddress> parse_address(std::string text) {
    IpAddress address;
    address.v4 = text.find(':') == std::string::npos && !text.starts_with('[');
    if (!address.v4) {
        if (!text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
        text = text.substr(1, text.size() - 2);
    }
    const int family = address.v4 ? AF_INET : AF_INET6;
    if (::inet_pton(family, text.c_str(), address.bytes.data()) != 1) return std::nullopt;
    return address;
}

/// PORT or FIRST-LAST.
bool parse_ports(const std::string& text, uint16_t& first, uint16_t& last) {
    const size_t dash = text.find('-');
    unsigned from = 0, to = 0;
    if (!parse_number(text.substr(0, dash), 65535, from)) return false;
    to = from;
    if (dash != std::string::npos && !parse_number(text.substr(dash + 1), 65535, to)) return false;
    first = static_cast<uint16_t>(from);
    last = static_cast<uint16_t>(to);
    return from >= 1 && from <= to;
}

bool parse_protocol(std::string_view text, NetProtocol& out) {
    out = text == "udp" ? NetProtocol::kUdp : NetProtocol::kTcp;
    return text == "tcp" || text == "udp";
}

Error bad(const char* option, const std::string& whole, const std::string& word, const char* what) {
    return Error(fmt::format("{}: '{}' of '{}' is not {}", option, word, whole, what));
}

// PROTOCOL:ADDRESS[/BITS]:PORT[-PORT]
NetRule parse_rule(const std::string& text) {
    const size_t first = text.find(':'), last = text.rfind(':');
    if (first == last)
        throw Error(fmt::format("--allow: '{}' is not unix or PROTOCOL:ADDRESS[/BITS]:PORT[-PORT]", text));
    NetRule rule;
    const std::string protocol = text.substr(0, first), ports = text.substr(last + 1);
    if (!parse_protocol(protocol, rule.protocol)) throw bad("--allow", text, protocol, "tcp or udp");
    const std::string peer = text.substr(first + 1, last - first - 1);
    const size_t slash = peer.find('/');
    const std::optional<IpAddress> address = parse_address(peer.substr(0, slash));
    if (!address) throw bad("--allow", text, peer.substr(0, slash), "an IP address ([…] around IPv6)");
    rule.address = *address;
    rule.prefix = address->v4 ? 32 : 128;
    if (slash != std::string::npos && !parse_number(peer.substr(slash + 1), rule.prefix, rule.prefix))
        throw bad("--allow", text, peer.substr(slash + 1), "the length of a prefix");
    if (!parse_ports(ports, rule.first_port, rule.last_port))
        throw bad("--allow", text, ports, "a port or a range of ports");
    return rule;
}

// [ADDRESS:]PORT[:GUESTPORT] or [ADDRESS:]PORT-PORT, then /udp or /tcp
PublishedPorts parse_published(const std::string& text) {
    PublishedPorts out;
    std::string rest = text;
    const size_t slash = rest.rfind('/');
    if (slash != std::string::npos) {
        if (!parse_protocol(rest.substr(slash + 1), out.protocol))
            throw bad("--publish", text, rest.substr(slash + 1), "tcp or udp");
        rest.resize(slash);
    }
    out.address = *parse_address("127.0.0.1");
    const size_t after = rest.starts_with('[') ? rest.find(']') : 0;
    const size_t colon = rest.find(':', after == std::string::npos ? 0 : after);
    if (colon != std::string::npos && rest.substr(0, colon).find_first_of(".[") != std::string::npos) {
        const std::optional<IpAddress> address = parse_address(rest.substr(0, colon));
        if (!address) throw bad("--publish", text, rest.substr(0, colon), "an IP address ([…] around IPv6)");
        out.address = *address;
        rest = rest.substr(colon + 1);
    }
    const size_t second = rest.find(':');
    const std::string ports = rest.substr(0, second);
    if (!parse_ports(ports, out.first_port, out.last_port))
        throw bad("--publish", text, ports, "a port or a range of ports");
    out.guest_port = out.first_port;
    if (second == std::string::npos) return out;
    if (out.range())
        throw Error(fmt::format("--publish: '{}': a range has no other numbers in the guest", text));
    uint16_t last = 0;
    const std::string guest = rest.substr(second + 1);
    if (!parse_ports(guest, out.guest_port, last) || last != out.guest_port)
        throw bad("--publish", text, guest, "a port");
    return out;
}

void allow_everywhere(NetConfig& config, const char* address, unsigned bits) {
    for (const NetProtocol protocol : {NetProtocol::kTcp, NetProtocol::kUdp})
        config.allow.push_back({protocol, *parse_address(address), bits, 0, 65535});
}

}  // namespace

void add_net_options(CLI::App& app, NetOptions& options) {
    app.add_option(
           "--net", options.net,
           "whom clients may talk to: none, loopback (this host's services) or host (all that it can)")
        ->check(CLI::IsMember({"none", "loopback", "host"}))
        ->capture_default_str();
    app.add_option("--allow", options.allow,
                   "PROTOCOL:ADDRESS[/BITS]:PORT[-PORT]: whom else; unix: sockets in shares; repeatable")
        ->type_size(1)
        ->allow_extra_args(false);
    app.add_option(
           "--publish", options.publish,
           "[ADDRESS:]PORT[:GUESTPORT][/udp] or [ADDRESS:]PORT-PORT[/udp]: ports of this host that clients "
           "may bind; repeatable")
        ->type_size(1)
        ->allow_extra_args(false);
}

NetConfig parse_net(const NetOptions& options) {
    NetConfig config;
    if (options.net == "loopback") {
        allow_everywhere(config, "127.0.0.0", 8);
        allow_everywhere(config, "[::1]", 128);
    } else if (options.net == "host") {
        allow_everywhere(config, "0.0.0.0", 0);
        allow_everywhere(config, "[::]", 0);
    }
    for (const std::string& text : options.allow) {
        if (text == "unix") {
            config.unix_sockets = true;
        } else {
            config.allow.push_back(parse_rule(text));
        }
    }
    for (const std::string& text : options.publish)
        config.publish.push_back(parse_published(text));
    return config;
}

bool needs_low_ports(const NetConfig& config) {
    for (const PublishedPorts& ports : config.publish)
        if (ports.first_port < kFirstFreePort) return true;
    return false;
}

}  // namespace farcall::vmm
