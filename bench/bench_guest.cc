// SPDX-License-Identifier: MIT
#include "bench/bench_guest.h"

#include <cstring>

#include "bench/host_client.h"
#include "bench/payload/payload_image.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

constexpr double kTimeoutNs = 2e9;  // a side that the scheduler forgot is back by then
constexpr double kSettleNs = 30e3;  // from arming its flag to being blocked, a worker needs a few µs

Error run_error(const bench_run& run) {
    switch (run.error) {
        case BENCH_TIMEOUT:
            return Error("no event came for a command of the bench within two seconds");
        case BENCH_WRONG_EVENT:
            return Error("an event of the bench carries another command's id");
        case BENCH_FAILED_EVENT:
            return Error(std::string("a command of the bench failed: ") + std::strerror(-run.result));
        default:
            return Error("the bench's client does not know test " + std::to_string(run.test));
    }
}

}  // namespace

uint64_t GuestChannel::bytes() const {
    return fc_channel_bytes(kCommandSlots, kEventSlots, timed ? sizeof(fc_event_ts) : sizeof(fc_event));
}

BenchGuest::BenchGuest(double ticks_per_ns)
    : ticks_per_ns_(ticks_per_ns),
      guest_(payload_image(), kMemoryBytes, kRun),
      engine_channel_(make_channel(kEngineChannel)),
      bare_channel_(make_channel(kBareChannel)),
      timed_channel_(make_channel(kTimedChannel, true)) {
    bench_run touch = fill(engine_channel_, Side::kGuest, Request{.test = BENCH_TOUCH});
    touch.samples = kRun;
    touch.count = static_cast<uint32_t>(kMemoryBytes - kRun);
    execute(touch, Side::kGuest);
}

GuestChannel BenchGuest::make_channel(uint64_t address, bool timed) {
    GuestChannel channel;
    channel.timed = timed;
    channel.address = address;
    channel.memory = guest_.memory() + address;
    return channel;
}

void BenchGuest::set_doorbell(int eventfd) {
    guest_.set_doorbell(eventfd);
    doorbell_ = eventfd;
}

bench_run BenchGuest::fill(const GuestChannel& channel, Side side, const Request& request) const {
    // Both sides see the same memory, the host at its own address of it.
    const uint64_t base = side == Side::kGuest ? 0 : reinterpret_cast<uint64_t>(guest_.memory());
    bench_run run{};
    run.test = request.test;
    run.count = request.count;
    run.depth = request.depth;
    run.chunk = request.chunk;
    run.command_mask = GuestChannel::kCommandSlots - 1;
    run.event_mask = GuestChannel::kEventSlots - 1;
    run.place_mask = request.depth - 1;
    run.buffer_stride = request.buffer_stride;
    run.settle_ticks = static_cast<uint32_t>(kSettleNs * ticks_per_ns_);
    run.timeout_ticks = static_cast<uint64_t>(kTimeoutNs * ticks_per_ns_);
    run.header = base + channel.address;
    run.commands = run.header + FC_COMMANDS_OFFSET;
    run.events = run.header + fc_events_offset(GuestChannel::kCommandSlots);
    run.samples = base + kSamples;
    run.doorbell = side == Side::kGuest ? vmm::BareGuest::kDoorbellAddress : static_cast<uint64_t>(doorbell_);
    run.exit_address = vmm::BareGuest::kExitAddress;
    run.exit_port = vmm::BareGuest::kPortExit;
    run.done_port = vmm::BareGuest::kPortDone;
    run.command = request.command;
    run.command_index = channel.command_index;
    run.event_head = channel.event_head;
    return run;
}

void BenchGuest::execute(bench_run& run, Side side) {
    if (side == Side::kGuest) {
        std::byte* shared = guest_.memory() + kRun;
        std::memcpy(shared, &run, sizeof(run));
        guest_.run();
        std::memcpy(&run, shared, sizeof(run));
    } else {
        bench_execute(&run);
    }
    if (run.error != BENCH_OK) throw run_error(run);
}

void BenchGuest::run_on(GuestChannel& channel, Side side, const Request& request) {
    bench_run run = fill(channel, side, request);
    execute(run, side);
    channel.command_index = run.command_index;
    channel.event_head = run.event_head;
    last_result_ = run.result;
    doorbells_ += run.doorbells;
}

std::vector<uint32_t> BenchGuest::run(GuestChannel& channel, Side side, const Request& request) {
    const uint32_t samples = request.count / (request.test == BENCH_PIPELINE ? request.chunk : 1);
    if (samples > kMaxSamples) throw Error("the bench was asked for more samples than it has room for");
    run_on(channel, side, request);
    const auto* first = reinterpret_cast<const uint32_t*>(guest_.memory() + kSamples);
    return {first, first + samples};
}

std::vector<bench_timed> BenchGuest::run_timed(Side side, const Request& request) {
    if (request.count > kMaxTimed) throw Error("the bench was asked for more samples than it has room for");
    run_on(timed_channel_, side, request);
    const auto* first = reinterpret_cast<const bench_timed*>(guest_.memory() + kSamples);
    return {first, first + request.count};
}

}  // namespace farcall::bench
