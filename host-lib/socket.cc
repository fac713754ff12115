// SPDX-License-Identifier: MIT
#include "host-lib/socket.h"

#include <cerrno>

namespace farcall {

Watch& Socket::watched(Readiness& readiness) {
    if (watch == nullptr) watch = std::make_shared<Watch>(readiness, fd.get());
    return *watch;
}

int judge_peer(const NetPolicy& policy, const Socket& socket, SocketAddress& address) {
    std::optional<Endpoint> peer = address.endpoint();
    if (!peer) return -EAFNOSUPPORT;
    if (peer->address.unspecified()) {
        peer->address.bytes[peer->address.v4 ? 0 : 15] = peer->address.v4 ? 127 : 1;
        if (peer->address.v4) peer->address.bytes[3] = 1;
        // What was judged is what is used: the kernel's choice depends on what the socket is bound to.
        address = *make_address(address.family(), *peer, scope_of(address));
    }
    if (policy.may_reach(socket.protocol(), *peer)) return 0;
    return socket.peers != nullptr && socket.peers->has(*peer) ? 0 : -EPERM;
}

bool filters_senders(const NetPolicy& policy, const Socket& socket) {
    return socket.ip() && !socket.stream() && socket.peers == nullptr &&
           !policy.reaches_all(NetProtocol::kUdp);
}

bool takes_from(const NetPolicy& policy, const Socket& socket, const SocketAddress& sender) {
    const std::optional<Endpoint> peer = sender.endpoint();
    return peer && policy.may_reach(socket.protocol(), *peer);
}

void abandon(Socket& socket) {
    if (socket.watch != nullptr) socket.watch->finish_all(-ECANCELED);
}

}  // namespace farcall
