// SPDX-License-Identifier: MIT
#include "guest-lib/aem/socket_state.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstddef>

namespace farcall::aem {

namespace {

// -1: no TCP socket, or no socket.
int tcp_state(int fd) {
    tcp_info info{};
    socklen_t length = sizeof(info);
    if (farcall_aem_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -1;
    return length > offsetof(tcp_info, tcpi_state) ? info.tcpi_state : -1;
}

bool was_established(int state) {
    switch (state) {
        case TCP_ESTABLISHED:
        case TCP_FIN_WAIT1:
        case TCP_FIN_WAIT2:
        case TCP_CLOSE_WAIT:
        case TCP_LAST_ACK:
        case TCP_CLOSING:
        case TCP_TIME_WAIT:
            return true;
        default:
            return false;
    }
}

bool connected(int fd) {
    sockaddr_storage address;
    socklen_t length = sizeof(address);
    return farcall_aem_getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
}

}  // namespace

bool socket_is(int fd, Kind kind, int wanted) {
    if (kind == Kind::kSocketState) return connected(fd) == (wanted == SS_CONNECTED);
    const int state = tcp_state(fd);
    if (wanted == TCP_ESTABLISHED) return was_established(state);
    if (wanted == TCP_CLOSE_WAIT) return state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK;
    return state == wanted;
}

int check_state(Kind kind, int wanted) {
    if (kind == Kind::kSocketState)
        return wanted == SS_CONNECTED || wanted == SS_UNCONNECTED ? 0 : -EOPNOTSUPP;
    return wanted == TCP_ESTABLISHED || wanted == TCP_CLOSE_WAIT || wanted == TCP_CLOSE ? 0 : -EOPNOTSUPP;
}

}  // namespace farcall::aem
