// SPDX-License-Identifier: MIT
#include "guest-lib/demo/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>
#include <cstring>

namespace farcall::demo {

namespace {

constexpr uint64_t kName = sizeof(fc_msg), kIov = kName + sizeof(sockaddr_storage),
                   kData = kIov + sizeof(fc_iov), kDataBytes = 2048;

template <typename T>
std::string bytes_of(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string ip_address(std::string host, uint16_t port, int* family) {
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        v6.sin6_family = static_cast<sa_family_t>(*family = AF_INET6);
        v6.sin6_port = htons(port);
        if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) return bytes_of(v6);
    } else {
        v4.sin_family = static_cast<sa_family_t>(*family = AF_INET);
        v4.sin_port = htons(port);
        if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) return bytes_of(v4);
    }
    throw Failure(host + " is no IP address");
}

Peer unix_peer(std::string_view text) {
    const SharePath place = parse_path(text);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (place.path.size() >= sizeof(address.sun_path)) throw Failure("the socket's path is too long");
    place.path.copy(address.sun_path, place.path.size());
    return {AF_UNIX, SOCK_STREAM,
            bytes_of(address).substr(0, offsetof(sockaddr_un, sun_path) + place.path.size()),
            FC_HANDLE_SHARE(place.share)};
}

int with_address(Requests& requests, uint32_t handle, const Peer& peer, bool connects) {
    const Text address(requests.client(), peer.address);
    fc_command command;
    const auto prepare = connects ? farcall_prep_connect : farcall_prep_bind;
    prepare(&command, handle, address.region(), address.offset(), address.length(), peer.directory);
    return requests.run(command);
}

}  // namespace

Peer Peer::parse(std::string_view text) {
    const size_t first = text.find(':'), last = text.rfind(':');
    const std::string_view kind = text.substr(0, first);
    if (kind == "unix" && first != text.npos) return unix_peer(text.substr(first + 1));
    uint16_t port = 0;
    const char* end = text.data() + text.size();
    if ((kind != "tcp" && kind != "udp") || first == last ||
        std::from_chars(text.data() + last + 1, end, port).ptr != end)
        throw Failure(std::string(text) + " is not tcp:ADDRESS:PORT, udp:ADDRESS:PORT or unix:[SHARE:]PATH");
    Peer peer{0, kind == "tcp" ? SOCK_STREAM : SOCK_DGRAM, {}, 0};
    peer.address = ip_address(std::string(text.substr(first + 1, last - first - 1)), port, &peer.family);
    return peer;
}

int make_socket(Requests& requests, const Peer& peer) {
    fc_command command;
    farcall_prep_socket(&command, static_cast<unsigned>(peer.family), static_cast<unsigned>(peer.type), 0);
    return requests.run(command);
}

int connect_to(Requests& requests, uint32_t handle, const Peer& peer) {
    return with_address(requests, handle, peer, true);
}

int bind_to(Requests& requests, uint32_t handle, const Peer& peer) {
    return with_address(requests, handle, peer, false);
}

int close_handle(Requests& requests, uint32_t handle) {
    fc_command command;
    farcall_prep_close(&command, handle);
    return requests.run(command);
}

int port_of(Requests& requests, uint32_t handle) {
    const client::Buffer memory(requests.client(), sizeof(sockaddr_storage));
    fc_command command;
    farcall_prep_getsockname(&command, handle, memory.region(), memory.offset(),
                             static_cast<uint32_t>(memory.size()));
    handle_of("getsockname", requests.run(command));
    in_port_t port;  // at the same place in both families
    std::memcpy(&port, memory.data() + offsetof(sockaddr_in, sin_port), sizeof(port));
    return ntohs(port);
}

Datagram::Datagram(client::Client& client) : buffer_(client, kData + kDataBytes) {}

fc_command Datagram::prepare(uint32_t handle, uint32_t name_bytes, uint32_t data_bytes, bool sends) {
    fc_msg message{};
    message.name = {buffer_.offset() + kName, 0, name_bytes};
    message.iov = buffer_.offset() + kIov;
    message.iov_count = 1;
    const fc_iov iov{buffer_.offset() + kData, 0, data_bytes};
    std::memcpy(buffer_.data(), &message, sizeof(message));
    std::memcpy(buffer_.data() + kIov, &iov, sizeof(iov));
    fc_command command;
    if (sends) {
        farcall_prep_sendmsg(&command, handle, buffer_.region(), buffer_.offset(), 0, 0);
    } else {
        farcall_prep_recvmsg(&command, handle, buffer_.region(), buffer_.offset(), 0);
    }
    return command;
}

int Datagram::send(Requests& requests, uint32_t handle, std::string_view data, const std::string& to) {
    if (data.size() > kDataBytes) throw Failure("a datagram that is too long");
    std::memcpy(buffer_.data() + kName, to.data(), to.size());
    std::memcpy(buffer_.data() + kData, data.data(), data.size());
    return requests.run(
        prepare(handle, static_cast<uint32_t>(to.size()), static_cast<uint32_t>(data.size()), true));
}

int Datagram::receive(Requests& requests, uint32_t handle) {
    const int result = requests.run(prepare(handle, sizeof(sockaddr_storage), kDataBytes, false));
    if (result < 0) return result;
    fc_msg message;
    std::memcpy(&message, buffer_.data(), sizeof(message));
    data_.assign(reinterpret_cast<const char*>(buffer_.data() + kData), static_cast<size_t>(result));
    from_.assign(reinterpret_cast<const char*>(buffer_.data() + kName), message.name_length);
    return result;
}

}  // namespace farcall::demo
