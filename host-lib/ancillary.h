// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>

#include <farcall/abi.h>

namespace farcall {

struct Socket;

/// Control messages of IP sockets, as the kernel has them and as clients do (struct fc_ancillary). Never used
/// with a Unix socket, where they could bring descriptors.
class ControlMessages {
  public:
    /// For recvmsg(): room for all that a client may ask for.
    void offer(msghdr& header);
    /// What recvmsg() has left there; no other kind than fc_ancillary has is looked at.
    static fc_ancillary read(const msghdr& header);
    /// For sendmsg(): what a client says, checked before. Nothing: header stays as it is.
    void write(const fc_ancillary& ancillary, msghdr& header);

  private:
    template <typename T>
    void append(msghdr& header, int level, int type, const T& value);

    alignas(cmsghdr) std::array<std::byte, 256> buffer_;
};

/// May `socket` send a datagram with this? 0; -EINVAL: no IP datagrams, bits that mean nothing in this
/// direction, or a source address that the socket is not bound to: neither by name nor, where it is bound by
/// the policy, to all addresses.
int judge_ancillary(const Socket& socket, const fc_ancillary& ancillary);

}  // namespace farcall
