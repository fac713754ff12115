// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "host-lib/region.h"
#include "host-lib/service.h"
#include "host-lib/waiter.h"

namespace farcall {

class Client;

/// The caller's side of a call: what a SERVICE_OPEN or CALL command waits as. Destroyed before the answer, it
/// tells the server's worker that nobody waits any more. Used by the caller's worker only.
class CallWaiter final : public Waiter {
  public:
    CallWaiter(Client& client, std::shared_ptr<Call> call) : client_(client), call_(std::move(call)) {}
    ~CallWaiter() override;

    /// Where the reply goes; the memory stays until then.
    void expect_reply(Region& region, uint64_t at) {
        memory_.emplace(region);
        at_ = at;
    }
    /// The command is suspended: hands the call to the server's worker. `request`: where it lies, unless it
    /// is in call->request. May complete the command, and destroy this, at once.
    void send(EventGraph::Ref ref, const MemoryRange& request);
    /// The answer: copies the reply, which is in memory of this worker or in `copy`, and completes the
    /// command.
    void complete(int64_t result, const MemoryRange& reply, std::span<const std::byte> copy);

  private:
    Client& client_;
    std::shared_ptr<Call> call_;
    std::optional<RegionPin> memory_;
    uint64_t at_ = 0;
    bool out_ = false;  ///< the server's worker has it
};

}  // namespace farcall
