// SPDX-License-Identifier: MIT
#include "bench/engine_rig.h"

#include <utility>

#include "host-lib/error.h"

namespace farcall::bench {
namespace {

/// The value of a control request that must succeed.
template <typename Call>
uint64_t require(const char* what, Call call) {
    const ControlResult result = Engine::wait_for(std::move(call));
    if (result.status < 0)
        throw errno_error(std::string("the engine refused the bench's ") + what, -result.status);
    return result.value;
}

}  // namespace

EngineRig::EngineRig(BenchGuest& guest, int worker_core, const std::string& share) : guest_(guest) {
    EngineConfig config;
    config.workers = 1;
    config.worker_cpus = {worker_core};
    engine_ = std::make_unique<Engine>(config);
    DomainConfig domain;
    domain.name = "bench";
    if (!share.empty()) domain.shares.push_back({share, false});
    domain_ = engine_->create_domain(std::move(domain));
    connect();
}

EngineRig::~EngineRig() {
    // The eventfd goes away with the engine.
    guest_.set_doorbell(-1);
    domain_.reset();
    engine_.reset();
}

void EngineRig::connect() {
    client_ = static_cast<ClientId>(
        require("client", [&](ControlDone done) { domain_->create_client(0, std::move(done)); }));
    RegionConfig arena;
    arena.segments.push_back({guest_.arena(), BenchGuest::kArenaBytes});
    arena.flags = FC_REGION_ARENA | FC_REGION_WRITE;
    require("arena",
            [&](ControlDone done) { domain_->add_region(client_, std::move(arena), std::move(done)); });
    ChannelConfig channel;
    channel.memory = guest_.engine_channel().memory;
    channel.bytes = GuestChannel::bytes();
    channel.command_slots = GuestChannel::kCommandSlots;
    channel.event_slots = GuestChannel::kEventSlots;
    require("channel",
            [&](ControlDone done) { domain_->create_channel(client_, std::move(channel), std::move(done)); });
    guest_.set_doorbell(domain_->doorbell_fd(client_));
}

}  // namespace farcall::bench
