// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "host-lib/handle_table.h"
#include "host-lib/net_policy.h"
#include "host-lib/readiness.h"
#include "host-lib/socket_address.h"

namespace farcall {

class Client;

/// A host socket, always non-blocking. Used by its client's worker only, but for system calls on `fd` that a
/// job makes in the blocking pool; destroyed on the worker.
struct Socket : HostObject {
    static constexpr Type kType = Type::kSocket;

    Socket(UniqueFd descriptor, int socket_family, int socket_type)
        : HostObject(kType), fd(std::move(descriptor)), family(socket_family), type(socket_type) {}
    ~Socket() override {
        if (watch != nullptr) watch->detach();
    }

    bool stream() const { return type == SOCK_STREAM; }
    bool ip() const { return family != AF_UNIX; }
    NetProtocol protocol() const { return stream() ? NetProtocol::kTcp : NetProtocol::kUdp; }
    /// Who waits for it; made when the first command does.
    Watch& watched(Readiness& readiness);
    /// No command waits on this side, so that a new one overtakes none.
    bool idle(ReadyWaiter::Side side) const { return watch == nullptr || watch->idle(side); }

    const UniqueFd fd;
    const int family;  ///< AF_INET, AF_INET6, AF_UNIX
    const int type;    ///< SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET
    std::shared_ptr<Watch> watch;
    bool bound = false;  ///< by BIND, or accepted from such a socket
    uint16_t host_port = 0;
    uint16_t guest_port = 0;  ///< what the client calls host_port; 0: the same
    /// UDP at a published port: answers whom it heard from.
    std::unique_ptr<RecentPeers> peers;
    bool reuse_address = false;  ///< what a datagram socket was asked for; see socket_options.cc
    std::string path;            ///< AF_UNIX: as the client named it
    std::string peer_path;       ///< the same of what it connected to
};

/// May `socket` talk to the peer that `address` names? Replaces the unspecified address by loopback, which is
/// what the kernel would do. 0, -EPERM; -EAFNOSUPPORT: not an IP address.
int judge_peer(const NetPolicy& policy, const Socket& socket, SocketAddress& address);

/// Does `socket` have to look at where a datagram comes from before it takes it?
bool filters_senders(const NetPolicy& policy, const Socket& socket);
/// May it take a datagram from there?
bool takes_from(const NetPolicy& policy, const Socket& socket, const SocketAddress& sender);

/// Completes everything that waits on the socket with -ECANCELED; for CLOSE.
void abandon(Socket& socket);

}  // namespace farcall
