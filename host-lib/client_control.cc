// SPDX-License-Identifier: MIT
// The control path of a client: channels, regions, event IDs.
#include <sys/eventfd.h>

#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr uint32_t kMaxNodes = 1u << 17;
constexpr uint32_t kMaxEdges = 1u << 17;

/// Goes with a region's memory, which may outlast the region's key.
struct RegionCharge {
    RegionCharge(std::shared_ptr<void> memory, std::shared_ptr<Budget> taken_from, uint64_t amount)
        : keep(std::move(memory)), budget(std::move(taken_from)), bytes(amount) {}
    ~RegionCharge() { budget->give(bytes); }
    RegionCharge(const RegionCharge&) = delete;
    RegionCharge& operator=(const RegionCharge&) = delete;

    const std::shared_ptr<void> keep;
    const std::shared_ptr<Budget> budget;
    const uint64_t bytes;
};

}  // namespace

Client::Client(ClientId id, std::shared_ptr<DomainState> domain, SerialTable::Taken serial,
               const NewClient& wanted, Worker& worker)
    : id_(id),
      domain_(std::move(domain)),
      worker_(worker),
      streams_(wanted.flags & FC_CLIENT_STREAMS),
      refused_flags_(wanted.features & FC_FEATURE_WAIT_ANY ? 0 : FC_F_WAIT_ANY),
      refused_channel_flags_(wanted.features & FC_FEATURE_TIMESTAMPS ? 0 : FC_CHANNEL_TIMESTAMPS),
      stats_(std::make_shared<ClientStats>()),
      regions_(domain_->limits.max_regions),
      handles_(
          wanted.flags & FC_CLIENT_KERNEL ? domain_->limits.max_domain_handles : domain_->limits.max_handles,
          domain_->handle_budget),
      graph_({id,
              serial.serial,
              serial.first_number,
              {domain_->limits.max_id_blocks, kMaxNodes, kMaxEdges},
              domain_->graph_budget,
              worker.graphs()}),
      rate_(domain_->limits.commands_per_s, domain_->limits.commands_burst),
      region_budget_(
          std::make_shared<Budget>(domain_->limits.max_client_region_bytes, domain_->region_budget)),
      cancel_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    stats_->serial = serial.serial;
    stats_->peer = wanted.peer;
    stats_->worker = worker.index();
    domain_->client_stats.add(stats_);
    services_.budget = std::make_shared<Budget>(domain_->limits.max_call_bytes, domain_->call_budget);
    for (uint32_t i = 0; i < domain_->shares.size(); i++) {
        const bool for_all = domain_->shares[i]->kind == File::Kind::kDirectory;
        if (for_all || wanted.flags & FC_CLIENT_KERNEL)
            handles_.set_fixed(FC_HANDLE_SHARE(i), domain_->shares[i]);
    }
    for (uint32_t i = 0; streams_ && i < kStreams; i++)
        handles_.set_fixed(FC_HANDLE_STDIN + i, domain_->streams[i]);
    domain_->serials.set_client(serial.serial, id);
}

Client::~Client() {
    domain_->client_stats.remove(*stats_);
    if (detached_until_ != 0) {
        if (detached_timer_) worker_.timers().remove(*detached_timer_);
        domain_->left_behind.remove(id_);
    }
    domain_->serials.give_back(graph_.serial(), graph_.next_number());
    if (streams_) domain_->streams_taken = false;
    domain_->clients--;
}

ControlResult Client::create_channel(ChannelConfig config) {
    if (regions_.arena() == nullptr) return {-ENXIO};
    const Limits& limits = domain_->limits;
    if (channels_.size() >= limits.max_channels) return {-EMFILE};
    const bool sizes = fc_ring_sizes_ok(config.command_slots, config.event_slots) &&
                       config.command_slots <= limits.max_command_slots &&
                       config.event_slots <= limits.max_event_slots;
    if (!sizes || (config.flags & ~FC_CHANNEL_TIMESTAMPS) != 0 ||
        (config.flags & refused_channel_flags_) != 0)
        return {-EINVAL};
    const uint32_t event_size = config.flags & FC_CHANNEL_TIMESTAMPS ? sizeof(fc_event_ts) : sizeof(fc_event);
    if (config.bytes < fc_channel_bytes(config.command_slots, config.event_slots, event_size))
        return {-EINVAL};
    if (config.memory == nullptr || reinterpret_cast<uintptr_t>(config.memory) % FC_COMMANDS_OFFSET != 0) {
        return {-EFAULT};
    }
    if (domain_->channels.fetch_add(1) >= limits.max_domain_channels) {
        domain_->channels--;
        return {-EMFILE};
    }
    const ChannelId id = worker_.new_channel_id();
    auto channel = std::make_unique<Channel>(id, *this, std::move(config), worker_.stats());
    worker_.add_channel(*channel);
    channels_[id] = std::move(channel);
    return {0, id};
}

ControlResult Client::add_region(RegionConfig config) {
    uint64_t bytes = 0;
    for (const HostSegment& segment : config.segments) {
        if (__builtin_add_overflow(bytes, segment.bytes, &bytes)) return {-E2BIG};
    }
    if (bytes > domain_->limits.max_region_bytes) return {-E2BIG};
    if (!region_budget_->take(bytes)) return {-E2BIG};
    config.keep = std::make_shared<RegionCharge>(std::move(config.keep), region_budget_, bytes);
    const int64_t key = regions_.add(std::move(config));
    if (key < 0) return {static_cast<int>(key)};
    return {0, static_cast<uint64_t>(key)};
}

void Client::remove_region(uint32_t key, ControlDone done) {
    if (key == 0 && regions_.arena() != nullptr) return done({-EBUSY});
    if (const Region* found = regions_.find(key); found != nullptr && found->pools > 0) return done({-EBUSY});
    std::unique_ptr<Region> region = regions_.take(key);
    if (region == nullptr) return done({-ENOENT});
    if (region->pins == 0) {
        region.reset();
        return done({});
    }
    region->on_unpinned = std::move(done);
    static_cast<void>(region.release());  // its last RegionPin deletes it
}

ControlResult Client::allocate_ids(uint64_t count) {
    int err = 0;
    const uint64_t first = graph_.allocate(count, &err);
    return {err, first};
}

}  // namespace farcall
