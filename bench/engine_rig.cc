// SPDX-License-Identifier: MIT
#include "bench/engine_rig.h"

#include <cstring>
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
        require("client", [&](ControlDone done) { domain_->create_client({}, std::move(done)); }));
    RegionConfig arena;
    arena.segments.push_back({guest_.arena(), BenchGuest::kArenaBytes});
    arena.flags = FC_REGION_ARENA | FC_REGION_WRITE;
    require("arena",
            [&](ControlDone done) { domain_->add_region(client_, std::move(arena), std::move(done)); });
    add_channel(guest_.engine_channel());
    add_channel(guest_.timed_channel());
    guest_.set_doorbell(domain_->doorbell_fd(client_));
}

void EngineRig::add_channel(const GuestChannel& channel) {
    ChannelConfig config;
    config.memory = channel.memory;
    config.bytes = channel.bytes();
    config.command_slots = GuestChannel::kCommandSlots;
    config.event_slots = GuestChannel::kEventSlots;
    if (channel.timed) config.flags = FC_CHANNEL_TIMESTAMPS;
    require("channel",
            [&](ControlDone done) { domain_->create_channel(client_, std::move(config), std::move(done)); });
}

uint32_t EngineRig::open(const std::string& name) {
    std::memcpy(guest_.arena(), name.data(), name.size());
    fc_command command{};
    command.opcode = FC_OP_OPEN;
    command.op_flags = FC_OPEN_READ;
    command.length = static_cast<uint32_t>(name.size());
    guest_.run(guest_.engine_channel(), Side::kHost, {.test = BENCH_PING, .count = 1, .command = command});
    return static_cast<uint32_t>(guest_.last_result());
}

}  // namespace farcall::bench
