// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/local_rig.h"
#include "tests/socket_client.h"

namespace farcall::test {

/// A local host whose clients may use all sockets and listen on a range of ports.
class LocalNetHost {
  public:
    explicit LocalNetHost(const EngineConfig& config = LocalHost::engine_config()) : engine_(config) {
        DomainConfig domain;
        publish_range(domain.net, "127.0.0.1");
        domain.net.allow = allow_all().allow;
        domain_ = engine_.create_domain(std::move(domain));
        LocalServerConfig server;
        server.path = directory_.socket();
        server_.emplace(*domain_, server);
    }
    std::string where() const { return directory_.where(); }
    void stop() { server_.reset(); }

  private:
    LocalDirectory directory_;
    Engine engine_;
    std::unique_ptr<Domain> domain_;
    std::optional<LocalServer> server_;
};

}  // namespace farcall::test
