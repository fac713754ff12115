// SPDX-License-Identifier: MIT
// The ops on sockets that never wait: making, binding, listening, names, shutdown.
#include "host-lib/socket_ops.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/operands.h"
#include "host-lib/socket.h"
#include "host-lib/unix_socket.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr uint64_t kMaxBacklog = 4096;
constexpr size_t kPortsTried = 64;  ///< of a range, in one bind to port 0

// 0, or why there is no such socket.
int check_kind(const NetPolicy& policy, uint64_t family, uint64_t type, uint64_t protocol) {
    if (family == AF_UNIX) {
        if (!policy.unix_sockets()) return -EPERM;
        if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET) return -ESOCKTNOSUPPORT;
        return protocol == 0 ? 0 : -EPROTONOSUPPORT;
    }
    if (family != AF_INET && family != AF_INET6) return -EAFNOSUPPORT;
    if (!policy.any() || type == SOCK_RAW) return -EPERM;
    if (type != SOCK_STREAM && type != SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    const uint64_t own = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    return protocol == 0 || protocol == own ? 0 : -EPROTONOSUPPORT;
}

int bind_to(Socket& socket, const BindChoice& choice, uint32_t scope) {
    const std::optional<SocketAddress> address = make_address(socket.family, choice.host, scope);
    if (!address) return -EADDRNOTAVAIL;
    if (::bind(socket.fd.get(), address->get(), address->length) < 0) return -errno;
    socket.bound = true;
    socket.host_port = choice.host.port;
    socket.guest_port = choice.guest_port;
    if (!socket.stream()) socket.peers = std::make_unique<RecentPeers>();
    return 0;
}

// Binds where the policy publishes what the client wants.
int bind_ip(Client& client, Socket& socket, const SocketAddress& address) {
    const std::optional<Endpoint> wanted = address.endpoint();
    if (!wanted || address.family() != socket.family) return -EAFNOSUPPORT;
    std::array<BindChoice, kPortsTried> choices;
    const uint32_t start = client.worker().next_port();
    const int count = client.domain().net.bind_choices(socket.protocol(), *wanted, start, choices);
    if (count < 0) return count;
    int err = -EADDRNOTAVAIL;
    for (const BindChoice& choice : std::span(choices).first(static_cast<size_t>(count))) {
        err = bind_to(socket, choice, scope_of(address));
        // A port that is taken is an answer, unless any port would do.
        const bool next = err == -EADDRNOTAVAIL || (err == -EADDRINUSE && wanted->port == 0);
        if (!next) break;
    }
    return err;
}

// Writes as much of an address as there is room for. Its full size, or -errno.
int64_t give_address(Client& client, const Task& task, const Operands& operands,
                     const SocketAddress& address) {
    Region* region = nullptr;
    if (int err = find_range(client, task.cmd.region, operands.buffer, operands.length, true, &region))
        return err;
    region->copy_in(operands.buffer, &address.storage, std::min(operands.length, address.length));
    return address.length;
}

}  // namespace

int64_t op_socket(Client& client, Task&, const Operands& operands) {
    const uint64_t family = operands.offset & 0xffff;
    const uint64_t type = operands.offset >> 16 & 0xffff;
    const uint64_t protocol = operands.offset >> 32;
    if (int err = check_kind(client.domain().net, family, type, protocol)) return err;
    if (client.handles().full()) return -EMFILE;
    UniqueFd fd(::socket(static_cast<int>(family), static_cast<int>(type) | SOCK_NONBLOCK | SOCK_CLOEXEC,
                         static_cast<int>(protocol)));
    if (!fd) return -errno;
    return client.handles().add(
        std::make_shared<Socket>(std::move(fd), static_cast<int>(family), static_cast<int>(type)));
}

int64_t op_bind(Client& client, Task& task, const Operands& operands) {
    Socket* socket = client.handles().get<Socket>(operands.handle);
    if (socket == nullptr) return -EBADF;
    Region* region = nullptr;
    if (int err = find_range(client, task.cmd.region, operands.buffer, operands.length, false, &region))
        return err;
    SocketAddress address;
    if (int err = read_address(*region, operands.buffer, operands.length, &address)) return err;
    if (!socket->ip()) return unix_bind(client, task, operands, address);
    return operands.offset != 0 ? -EINVAL : bind_ip(client, *socket, address);
}

int64_t op_listen(Client& client, Task&, const Operands& operands) {
    Socket* socket = client.handles().get<Socket>(operands.handle);
    if (socket == nullptr) return -EBADF;
    if (socket->ip() && socket->stream() && !socket->bound) {
        // The kernel would take a port by itself, and nobody would have judged it.
        Endpoint any;
        any.address.v4 = socket->family == AF_INET;
        if (int err = bind_ip(client, *socket, *make_address(socket->family, any))) return err;
    }
    const auto backlog = static_cast<int>(std::min(operands.offset, kMaxBacklog));
    return result_of(::listen(socket->fd.get(), backlog));
}

int64_t op_shutdown(Client& client, Task&, const Operands& operands) {
    const Socket* socket = client.handles().get<Socket>(operands.handle);
    if (socket == nullptr) return -EBADF;
    if (operands.offset > SHUT_RDWR) return -EINVAL;
    return result_of(::shutdown(socket->fd.get(), static_cast<int>(operands.offset)));
}

int64_t op_getsockname(Client& client, Task& task, const Operands& operands) {
    const Socket* socket = client.handles().get<Socket>(operands.handle);
    if (socket == nullptr) return -EBADF;
    SocketAddress address;
    if (::getsockname(socket->fd.get(), address.get(), address.room()) < 0) return -errno;
    if (!socket->ip()) {
        address = make_unix_address(socket->path);
    } else if (socket->guest_port != 0) {
        set_port(address, socket->guest_port);
    }
    return give_address(client, task, operands, address);
}

int64_t op_getpeername(Client& client, Task& task, const Operands& operands) {
    const Socket* socket = client.handles().get<Socket>(operands.handle);
    if (socket == nullptr) return -EBADF;
    SocketAddress address;
    if (::getpeername(socket->fd.get(), address.get(), address.room()) < 0) return -errno;
    if (!socket->ip()) address = make_unix_address(socket->peer_path);
    return give_address(client, task, operands, address);
}

}  // namespace farcall
