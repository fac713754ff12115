// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "host-lib/net_policy.h"

namespace CLI {
class App;
}

namespace farcall::vmm {

/// The network options of `run` and `serve`, as written.
struct NetOptions {
    std::string net = "none";
    std::vector<std::string> allow;
    std::vector<std::string> publish;
};

/// Adds --net, --allow and --publish. `options` must outlive the parsing.
void add_net_options(CLI::App& app, NetOptions& options);

/// What they mean. Throws farcall::Error that names the word which is wrong.
NetConfig parse_net(const NetOptions& options);

/// A published port that only a privileged process may bind.
bool needs_low_ports(const NetConfig& config);

}  // namespace farcall::vmm
