// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "guest-lib/demo/requests.h"

namespace farcall::demo {

/// Whom a socket talks to, or what it is bound to: "tcp:ADDRESS:PORT", "udp:ADDRESS:PORT" ([…] around IPv6)
/// or "unix:[SHARE:]PATH". Throws Failure.
struct Peer {
    int family = 0;
    int type = 0;
    std::string address;     ///< a struct sockaddr_*
    uint32_t directory = 0;  ///< of a Unix path

    static Peer parse(std::string_view text);
};

/// A socket for it; its handle, or -errno.
int make_socket(Requests& requests, const Peer& peer);
int connect_to(Requests& requests, uint32_t handle, const Peer& peer);
int bind_to(Requests& requests, uint32_t handle, const Peer& peer);
int close_handle(Requests& requests, uint32_t handle);
/// The port that a socket is bound to, as its own program sees it.
int port_of(Requests& requests, uint32_t handle);

/// One datagram with an address: a struct fc_msg and what it names, in shared memory.
class Datagram {
  public:
    explicit Datagram(client::Client& client);
    int send(Requests& requests, uint32_t handle, std::string_view data, const std::string& to);
    /// Fills data() and from().
    int receive(Requests& requests, uint32_t handle);
    std::string data() const { return data_; }
    std::string from() const { return from_; }

  private:
    fc_command prepare(uint32_t handle, uint32_t name_bytes, uint32_t data_bytes, bool sends);

    client::Buffer buffer_;
    std::string data_, from_;
};

}  // namespace farcall::demo
