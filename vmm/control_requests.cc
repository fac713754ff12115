// SPDX-License-Identifier: MIT
#include "vmm/control_requests.h"

#include <unistd.h>

#include <cerrno>

#include <farcall/ring.h>

#include "vmm/layout.h"

namespace farcall::vmm {

/// One row per request: what it may carry, so that handlers see nothing else.
struct ControlRequests::Rule {
    uint32_t op;
    bool names_client;
    bool names_channel;
    uint32_t flags;  ///< those allowed
    uint32_t args;   ///< bit i: arg[i] may be other than 0
};

const ControlRequests::Rule* ControlRequests::rule_of(uint32_t op) {
    static constexpr Rule kRules[] = {
        {FC_CTL_HELLO, false, false, 0, 0b00011},
        {FC_CTL_CLIENT_CREATE, false, false, FC_CLIENT_STREAMS | FC_CLIENT_NEAR | FC_CLIENT_KERNEL, 0b00001},
        {FC_CTL_CLIENT_DESTROY, true, false, 0, 0},
        {FC_CTL_CHANNEL_CREATE, true, false, FC_CHANNEL_TIMESTAMPS, 0b01111},
        {FC_CTL_CHANNEL_DESTROY, true, true, 0, 0},
        {FC_CTL_REGION_ADD, true, false, FC_REGION_ARENA | FC_REGION_WRITE, 0b00011},
        {FC_CTL_REGION_REMOVE, true, false, 0, 0b00001},
        {FC_CTL_EVENT_IDS, true, false, 0, 0b00001},
        {FC_CTL_VM_EXIT, false, false, 0, 0b00001},
    };
    static_assert(std::size(kRules) == FC_CTL_COUNT - 1, "a row for each request");
    for (const Rule& rule : kRules) {
        if (rule.op == op) return &rule;
    }
    return nullptr;
}

ControlRequests::ControlRequests(Parts parts)
    : parts_(std::move(parts)), host_user_(::geteuid() | static_cast<uint64_t>(::getegid()) << 32) {}

int ControlRequests::check(const fc_control& in) const {
    const Rule* rule = rule_of(in.op);
    if (rule == nullptr) return -EINVAL;
    if (in.reserved != 0 || (in.flags & ~rule->flags) != 0) return -EINVAL;
    if ((!rule->names_client && in.client != 0) || (!rule->names_channel && in.channel != 0)) return -EINVAL;
    for (unsigned i = 0; i < std::size(in.arg); i++) {
        if ((rule->args >> i & 1) == 0 && in.arg[i] != 0) return -EINVAL;
    }
    if (reset_ != Reset::kIdle) return -ENODEV;
    if (!greeted_ && in.op != FC_CTL_HELLO && in.op != FC_CTL_VM_EXIT) return -EPROTO;
    return 0;
}

void ControlRequests::post(uint64_t page, uint32_t slot) {
    if (slot >= FC_CONTROL_SLOTS || page % layout::kPage != 0) return;
    std::byte* memory = parts_.memory.translate(page + slot * sizeof(fc_control), sizeof(fc_control));
    if (memory == nullptr) return;
    Request request{reinterpret_cast<fc_control*>(memory), slot, {}};
    if (fc_load_acquire(&request.slot_memory->status) != FC_CONTROL_PENDING) return;
    const auto* from = reinterpret_cast<const uint64_t*>(memory);
    auto* to = reinterpret_cast<uint64_t*>(&request.copy);
    for (size_t i = 0; i < sizeof(fc_control) / sizeof(uint64_t); i++)
        to[i] = fc_load_relaxed(&from[i]);

    int status;
    {
        const std::scoped_lock lock(mutex_);
        if (busy_[slot]) return;
        busy_[slot] = true;
        in_flight_++;
        status = check(request.copy);
        if (status == 0 && request.copy.op == FC_CTL_HELLO && greeted_) status = -EINVAL;
    }
    if (status < 0) return answer(request, status);
    start(request);
}

void ControlRequests::start(const Request& request) {
    switch (request.copy.op) {
        case FC_CTL_HELLO:
            return hello(request);
        case FC_CTL_CLIENT_CREATE:
            return create_client(request);
        case FC_CTL_CLIENT_DESTROY:
            return destroy_client(request);
        case FC_CTL_CHANNEL_CREATE:
            return create_channel(request);
        case FC_CTL_CHANNEL_DESTROY:
            return destroy_channel(request);
        case FC_CTL_REGION_ADD:
            return add_region(request);
        case FC_CTL_REGION_REMOVE:
            return remove_region(request);
        case FC_CTL_EVENT_IDS:
            return event_ids(request);
        case FC_CTL_VM_EXIT:
            return exit_vm(request);
        default:
            return answer(request, -EINVAL);
    }
}

void ControlRequests::hello(Request request) {
    const uint64_t version = request.copy.arg[0], features = request.copy.arg[1];
    // A refusal says what is on offer.
    request.copy.arg[0] = FC_ABI_VERSION;
    request.copy.arg[1] = FC_FEATURE_ALL;
    if (version != FC_ABI_VERSION) return answer(request, -EPROTO);
    if ((features & ~FC_FEATURE_ALL) != 0) return answer(request, -ENOTSUP);
    const Limits& limits = parts_.domain.limits();
    request.copy.arg[1] = features;
    request.copy.arg[2] = limits.max_channels | static_cast<uint64_t>(limits.max_regions) << 32;
    request.copy.arg[3] = limits.max_command_slots | static_cast<uint64_t>(limits.max_event_slots) << 32;
    request.copy.arg[4] = limits.max_region_bytes;
    {
        const std::scoped_lock lock(mutex_);
        greeted_ = true;
        features_ = features;
    }
    answer(request, 0);
}

void ControlRequests::create_client(const Request& request) {
    NewClient wanted{.flags = request.copy.flags, .near_serial = request.copy.arg[0]};
    {
        const std::scoped_lock lock(mutex_);
        wanted.features = features_;
    }
    Request answered = request;
    answered.copy.arg[1] = host_user_;
    parts_.domain.create_client(wanted, answer_with(answered, [](fc_control& out, uint64_t value) {
                                    out.client = static_cast<uint32_t>(value);
                                    out.arg[0] = value >> 32;
                                }));
}

void ControlRequests::destroy_client(const Request& request) {
    parts_.domain.destroy_client(request.copy.client, answer_with(request, nullptr));
}

void ControlRequests::create_channel(const Request& request) {
    const fc_control& in = request.copy;
    const auto command_slots = static_cast<uint32_t>(in.arg[2]);
    const auto event_slots = static_cast<uint32_t>(in.arg[2] >> 32);
    if (!fc_ring_sizes_ok(command_slots, event_slots)) return answer(request, -EINVAL);
    const uint32_t event_size =
        (in.flags & FC_CHANNEL_TIMESTAMPS) != 0 ? sizeof(fc_event_ts) : sizeof(fc_event);
    if (in.arg[1] < fc_channel_bytes(command_slots, event_slots, event_size)) return answer(request, -EINVAL);
    // Vector 0 is the control path's own.
    if (in.arg[3] == 0 || in.arg[3] >= FC_PCI_VECTORS) return answer(request, -EINVAL);
    if (in.arg[0] % layout::kPage != 0) return answer(request, -EFAULT);

    ChannelConfig config;
    config.memory = parts_.memory.translate(in.arg[0], in.arg[1]);
    if (config.memory == nullptr) return answer(request, -EFAULT);
    config.bytes = in.arg[1];
    config.command_slots = command_slots;
    config.event_slots = event_slots;
    config.flags = in.flags;
    config.interrupt_fd = parts_.interrupts.fd(static_cast<unsigned>(in.arg[3]));
    parts_.domain.create_channel(in.client, std::move(config), [this, request](ControlResult result) {
        Request done = request;
        if (result.status == 0) {
            done.copy.channel = static_cast<uint32_t>(result.value);
            const int worker = parts_.domain.worker_index(done.copy.client);
            done.copy.arg[0] = static_cast<uint64_t>(worker < 0 ? 0 : worker) * layout::kPage;
        }
        answer(done, result.status);
    });
}

void ControlRequests::destroy_channel(const Request& request) {
    parts_.domain.destroy_channel(request.copy.client, request.copy.channel, answer_with(request, nullptr));
}

void ControlRequests::add_region(const Request& request) {
    RegionConfig config;
    const int status =
        translate_segments(parts_.memory, request.copy.arg[0], request.copy.arg[1], config.segments);
    if (status < 0) return answer(request, status);
    config.flags = request.copy.flags;
    parts_.domain.add_region(request.copy.client, std::move(config),
                             answer_with(request, [](fc_control& out, uint64_t key) { out.arg[0] = key; }));
}

void ControlRequests::remove_region(const Request& request) {
    if (request.copy.arg[0] > UINT32_MAX) return answer(request, -ENOENT);
    parts_.domain.remove_region(request.copy.client, static_cast<uint32_t>(request.copy.arg[0]),
                                answer_with(request, nullptr));
}

void ControlRequests::event_ids(const Request& request) {
    parts_.domain.allocate_ids(
        request.copy.client, request.copy.arg[0],
        answer_with(request, [](fc_control& out, uint64_t first) { out.arg[0] = first; }));
}

void ControlRequests::exit_vm(const Request& request) {
    if (request.copy.arg[0] > 255) return answer(request, -EINVAL);
    answer(request, 0);
    parts_.vm_exit(static_cast<int>(request.copy.arg[0]));
}

ControlDone ControlRequests::answer_with(const Request& request, void (*fill)(fc_control&, uint64_t)) {
    return [this, request, fill](ControlResult result) {
        Request done = request;
        if (result.status == 0 && fill != nullptr) fill(done.copy, result.value);
        answer(done, result.status);
    };
}

void ControlRequests::answer(const Request& request, int status) {
    {
        // Before the status is visible: the guest may post the slot again as soon as it sees it.
        const std::scoped_lock lock(mutex_);
        busy_[request.slot] = false;
    }
    fc_control* to = request.slot_memory;
    fc_store_relaxed(&to->client, request.copy.client);
    fc_store_relaxed(&to->channel, request.copy.channel);
    for (size_t i = 0; i < std::size(request.copy.arg); i++)
        fc_store_relaxed(&to->arg[i], request.copy.arg[i]);
    fc_store_release(&to->status, status);
    parts_.interrupts.raise(0);
    request_done();
}

void ControlRequests::request_done() {
    {
        const std::scoped_lock lock(mutex_);
        in_flight_--;
        if (in_flight_ != 0 || reset_ != Reset::kWaiting) return;
        reset_ = Reset::kDestroyingAgain;
    }
    destroy_all_again();
}

void ControlRequests::reset() {
    {
        const std::scoped_lock lock(mutex_);
        if (reset_ != Reset::kIdle) return;
        reset_ = Reset::kDestroying;
    }
    parts_.domain.destroy_all([this](ControlResult) {
        {
            const std::scoped_lock lock(mutex_);
            reset_ = in_flight_ == 0 ? Reset::kDestroyingAgain : Reset::kWaiting;
            if (reset_ == Reset::kWaiting) return;
        }
        destroy_all_again();
    });
}

void ControlRequests::destroy_all_again() {
    parts_.domain.destroy_all([this](ControlResult) {
        const std::scoped_lock lock(mutex_);
        greeted_ = false;
        reset_ = Reset::kIdle;
    });
}

bool ControlRequests::reset_pending() const {
    const std::scoped_lock lock(mutex_);
    return reset_ != Reset::kIdle;
}

}  // namespace farcall::vmm
