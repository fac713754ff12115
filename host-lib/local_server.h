// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host-lib/engine.h"

namespace farcall {

struct LocalServerConfig {
    std::string path;            ///< of the Unix socket
    std::vector<uid_t> users;    ///< who may connect beside the server's own user
    bool any_user = false;       ///< everybody may
    bool offer_streams = false;  ///< a client may take the domain's standard streams
    unsigned max_connections = 256;
    uint64_t max_mapped_bytes = 1ull << 33;  ///< of memory that one client may have mapped here
};

/// Serves a domain to processes of this host: the local transport of <farcall/control.h>. One thread of its
/// own; each connection is one client, destroyed when the connection ends. A peer that breaks the protocol
/// loses its connection, nobody else does. Ignores SIGPIPE in the process if that had the default action.
class LocalServer {
  public:
    /// Binds and starts to serve. The domain must outlive the server. Throws farcall::Error, see
    /// ListeningSocket.
    LocalServer(Domain& domain, LocalServerConfig config);
    /// Closes all connections, ends what their clients left running detached, waits until the engine has let
    /// go of them, removes the socket.
    ~LocalServer();
    LocalServer(const LocalServer&) = delete;
    LocalServer& operator=(const LocalServer&) = delete;

    /// Connections open now. Any thread.
    size_t connections() const;

  private:
    class Loop;
    std::unique_ptr<Loop> loop_;
};

}  // namespace farcall
