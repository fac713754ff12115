// SPDX-License-Identifier: MIT
#include "bench/host_rig.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "bench/host_client.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

constexpr uint32_t kIdleSlots = 8;
constexpr uint32_t kIdleBytes = 8192;  // header page, commands and events
constexpr uint32_t kSpinsPerTimeCheck = 1u << 16;
constexpr auto kTimeout = std::chrono::seconds(5);

/// The value of a control request that must succeed.
template <typename Call>
uint64_t require(const char* what, Call call) {
    const ControlResult result = Engine::wait_for(std::move(call));
    if (result.status < 0)
        throw errno_error(std::string("the engine refused the bench's ") + what, -result.status);
    return result.value;
}

}  // namespace

Memory::Memory(size_t bytes) : bytes_(bytes) {
    void* data =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (data == MAP_FAILED) throw errno_error("cannot map memory for the bench");
    data_ = static_cast<std::byte*>(data);
}

Memory::~Memory() {
    munmap(data_, bytes_);
}

HostChannel::HostChannel(std::byte* memory, uint32_t slots, int doorbell)
    : header_(reinterpret_cast<fc_ring_header*>(memory)),
      commands_(reinterpret_cast<fc_command*>(memory + FC_COMMANDS_OFFSET)),
      events_(memory + fc_events_offset(slots)),
      mask_(slots - 1),
      doorbell_(doorbell) {}

void HostChannel::announce() {
    if (fc_doorbell_needed(header_, tail_)) ring();
}

void HostChannel::ring() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(doorbell_, &one, sizeof(one));
}

uint32_t HostChannel::reap(int32_t expected) {
    fc_event event;
    uint32_t count = 0;
    while (read(head_ + count, &event)) {
        count++;
        if (event.result == expected) continue;
        throw Error("a command of the bench gave " + std::to_string(event.result) + " instead of " +
                    std::to_string(expected));
    }
    if (count != 0) give_back(count);
    return count;
}

uint32_t HostChannel::collect(int32_t expected) {
    wait();
    return reap(expected);
}

int32_t HostChannel::result() {
    wait();
    fc_event event{};
    read(head_, &event);
    give_back(1);
    return event.result;
}

void HostChannel::wait() const {
    fc_event event;
    auto end = std::chrono::steady_clock::time_point::max();
    for (uint32_t spins = 1; !read(head_, &event); spins++) {
        bench_pause();
        if (spins % kSpinsPerTimeCheck != 0) continue;
        const auto now = std::chrono::steady_clock::now();
        if (spins == kSpinsPerTimeCheck) end = now + kTimeout;
        if (now > end) throw Error("no event came for a command of the bench within five seconds");
    }
}

std::vector<uint32_t> HostChannel::pipeline(uint32_t count, uint32_t depth, uint32_t chunk, int32_t expected,
                                            const Make& make) {
    std::vector<uint32_t> samples;
    samples.reserve(count / chunk);
    uint32_t posted = 0, done = 0, next = chunk;
    uint64_t before = bench_ticks();
    while (done < count) {
        const uint32_t room = std::min(depth - (posted - done), count - posted);
        for (uint32_t i = 0; i < room; i++)
            post(make(posted++));
        if (room != 0) announce();
        done += collect(expected);
        if (done < next) continue;
        const uint64_t now = bench_ticks();
        samples.push_back(bench_sample(now - before));
        before = now;
        next += chunk;
    }
    return samples;
}

HostRig::HostRig(const Options& options) {
    EngineConfig config;
    config.worker_cpus = {options.worker_core};
    engine_ = std::make_unique<Engine>(config);
    DomainConfig domain;
    domain.name = "bench";
    domain.limits.max_channels = options.idle_channels + 1;
    if (!options.share.empty()) domain.shares.push_back({options.share, false});
    domain_ = engine_->create_domain(std::move(domain));
    for (uint32_t i = 0; i < options.clients; i++)
        connect();
    if (options.idle_channels == 0) return;
    idle_ = std::make_unique<Memory>(size_t{options.idle_channels} * kIdleBytes);
    for (uint32_t i = 0; i < options.idle_channels; i++)
        add_channel(clients_[0].id, idle_->data() + size_t{i} * kIdleBytes, kIdleSlots);
}

HostRig::~HostRig() {
    domain_.reset();
    engine_.reset();
}

void HostRig::connect() {
    const auto id = static_cast<ClientId>(
        require("client", [&](ControlDone done) { domain_->create_client({}, std::move(done)); }));
    auto arena = std::make_unique<Memory>(kArenaBytes);
    RegionConfig region{{{arena->data(), kArenaBytes}}, FC_REGION_ARENA | FC_REGION_WRITE, nullptr};
    require("arena", [&](ControlDone done) { domain_->add_region(id, std::move(region), std::move(done)); });
    auto ring = std::make_unique<Memory>(fc_channel_bytes(kSlots, kSlots, sizeof(fc_event)));
    add_channel(id, ring->data(), kSlots);
    HostChannel channel(ring->data(), kSlots, domain_->doorbell_fd(id));
    clients_.push_back({id, std::move(arena), std::move(ring), channel});
}

void HostRig::add_channel(ClientId client, std::byte* memory, uint32_t slots) {
    ChannelConfig config;
    config.memory = memory;
    config.bytes = fc_channel_bytes(slots, slots, sizeof(fc_event));
    config.command_slots = slots;
    config.event_slots = slots;
    require("channel",
            [&](ControlDone done) { domain_->create_channel(client, std::move(config), std::move(done)); });
}

uint32_t HostRig::open(const std::string& name) {
    std::memcpy(clients_[0].arena->data(), name.data(), name.size());
    fc_command command{};
    command.opcode = FC_OP_OPEN;
    command.op_flags = FC_OPEN_READ;
    command.length = static_cast<uint32_t>(name.size());
    channel().post(command);
    channel().announce();
    return static_cast<uint32_t>(channel().result());
}

uint64_t HostRig::take_ids(uint32_t count) {
    if (end_of_ids_ - next_id_ < count) {
        next_id_ = require("event IDs", [&](ControlDone done) {
            domain_->allocate_ids(clients_[0].id, FC_MAX_ID_REQUEST, std::move(done));
        });
        end_of_ids_ = next_id_ + FC_MAX_ID_REQUEST;
    }
    return std::exchange(next_id_, next_id_ + count);
}

}  // namespace farcall::bench
