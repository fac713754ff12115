// SPDX-License-Identifier: MIT
#pragma once

#include "bench/run.h"

namespace farcall::bench {

/// AEM's own experiment: a client sends a message and waits until the server has sent it back. The server
/// hears of it by handlers of the event API, or by select, poll, epoll on the kernel's sockets. And the same
/// handlers beside many events that are registered and never happen. Throws farcall::Error.
Report measure_aem(const Options& options);

/// The same with the servers in a VM, the client on this host: select, poll and epoll on descriptors of the
/// guest's kernel for the host's sockets, handlers on the rings. Throws farcall::Error.
Report measure_aem_vm(const Options& options);

}  // namespace farcall::bench
