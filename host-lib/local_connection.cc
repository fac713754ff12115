// SPDX-License-Identifier: MIT
#include "host-lib/local_connection.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>

#include <farcall/ring.h>

#include "host-lib/error.h"

namespace farcall {

LocalMailbox::LocalMailbox() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!event_) throw errno_error("can't create an eventfd");
}

void LocalMailbox::put(Letter letter) {
    {
        std::lock_guard guard(lock_);
        letters_.push_back(letter);
    }
    wake();
}

void LocalMailbox::wake() {
    ::eventfd_write(event_.get(), 1);
}

std::vector<LocalMailbox::Letter> LocalMailbox::take() {
    eventfd_t ignored = 0;
    ::eventfd_read(event_.get(), &ignored);
    std::lock_guard guard(lock_);
    return std::exchange(letters_, {});
}

/// One row per request: what it may carry, so that handlers see nothing else.
struct LocalConnection::Rule {
    uint32_t op;
    bool names_client;
    bool names_channel;
    uint32_t flags;  ///< those allowed
    uint32_t args;   ///< bit i: arg[i] may be other than 0
    size_t min_fds;
    size_t max_fds;
    int (LocalConnection::*handler)(LocalMessage&);
};

const LocalConnection::Rule* LocalConnection::rule_of(uint32_t op) {
    using C = LocalConnection;
    static constexpr uint32_t kRegionFlags = FC_REGION_ARENA | FC_REGION_WRITE;
    static constexpr uint32_t kClientFlags = FC_CLIENT_STREAMS | FC_CLIENT_NEAR;
    static constexpr Rule kRules[] = {
        {FC_CTL_HELLO, false, false, 0, 0b00111, 1, 1, &C::hello},
        {FC_CTL_CLIENT_CREATE, false, false, kClientFlags, 0b00001, 0, 0, &C::create_client},
        {FC_CTL_CLIENT_DESTROY, true, false, 0, 0, 0, 0, &C::destroy_client},
        {FC_CTL_CHANNEL_CREATE, true, false, FC_CHANNEL_TIMESTAMPS, 0b00111, 0, 0, &C::create_channel},
        {FC_CTL_CHANNEL_DESTROY, true, true, 0, 0, 0, 0, &C::destroy_channel},
        {FC_CTL_REGION_ADD, true, false, kRegionFlags, 0b00101, 0, 1, &C::add_region},
        {FC_CTL_REGION_REMOVE, true, false, 0, 0b00001, 0, 0, &C::remove_region},
        {FC_CTL_EVENT_IDS, true, false, 0, 0b00001, 0, 0, &C::allocate_ids},
    };
    for (const Rule& rule : kRules) {
        if (rule.op == op) return &rule;
    }
    return nullptr;
}

LocalConnection::LocalConnection(uint64_t id, UniqueFd socket, Policy policy, std::string name,
                                 Domain& domain, std::shared_ptr<LocalMailbox> mailbox)
    : id_(id),
      socket_(std::move(socket)),
      policy_(policy),
      name_(std::move(name)),
      domain_(domain),
      mailbox_(std::move(mailbox)),
      budget_(std::make_shared<std::atomic<uint64_t>>(policy.max_mapped_bytes)) {}

LocalConnection::Next LocalConnection::receive() {
    LocalMessage message;
    switch (receive_message(socket_.get(), message)) {
        case Received::kNothing:
            return Next::kReceive;
        case Received::kEnd:
            return Next::kClose;
        case Received::kMalformed:
            return protocol_error("a message of the wrong size or with lost descriptors");
        case Received::kMessage:
            break;
    }
    return handle(message);
}

LocalConnection::Next LocalConnection::handle(LocalMessage& message) {
    request_ = message.control;
    if (policy_.refused) {
        answer(-EACCES);
        return Next::kClose;
    }
    const Rule* rule = rule_of(message.control.op);
    const size_t min_fds = rule != nullptr ? rule->min_fds : 0;
    const size_t max_fds = rule != nullptr ? rule->max_fds : 0;
    if (message.fds.size() < min_fds || message.fds.size() > max_fds) {
        return protocol_error("a message with the wrong number of descriptors");
    }
    if (rule == nullptr) return answer(-EINVAL);
    int status = check(message, *rule);
    if (status == 0) status = (this->*rule->handler)(message);
    if (busy_) return Next::kWait;
    return answer(status);
}

int LocalConnection::check(const LocalMessage& message, const Rule& rule) const {
    const fc_control& in = message.control;
    if (memory_ == nullptr && in.op != FC_CTL_HELLO) return -EPROTO;
    if (in.status != 0 || in.reserved != 0 || (in.flags & ~rule.flags) != 0) return -EINVAL;
    if (!rule.names_channel && in.channel != 0) return -EINVAL;
    for (unsigned i = 0; i < std::size(in.arg); i++) {
        if ((rule.args >> i & 1) == 0 && in.arg[i] != 0) return -EINVAL;
    }
    if (!rule.names_client) return in.client == 0 ? 0 : -EINVAL;
    return has_client_ && in.client == client_ ? 0 : -ENOENT;
}

int LocalConnection::hello(LocalMessage& message) {
    const fc_control& in = message.control;
    if (memory_ != nullptr) return -EINVAL;
    // A refusal says what is on offer, so that the client can ask again.
    fill_answer(FC_ABI_VERSION);
    request_.arg[1] = FC_FEATURE_ALL;
    if (in.arg[0] != FC_ABI_VERSION) return -EPROTO;
    if ((in.arg[1] & ~FC_FEATURE_ALL) != 0) return -ENOTSUP;
    features_ = in.arg[1];
    if (int rc = ClientMapping::map(message.fds[0].get(), in.arg[2], true, budget_, memory_); rc < 0)
        return rc;
    windows_.add_window(0, memory_->bytes(), memory_->data());
    const Limits& limits = domain_.limits();
    request_.arg[2] = limits.max_channels | static_cast<uint64_t>(limits.max_regions) << 32;
    request_.arg[3] = limits.max_command_slots | static_cast<uint64_t>(limits.max_event_slots) << 32;
    request_.arg[4] = limits.max_region_bytes;
    return 0;
}

int LocalConnection::create_client(LocalMessage& message) {
    if (had_client_) return -EINVAL;
    if ((message.control.flags & FC_CLIENT_STREAMS) != 0 && !policy_.offer_streams) return -EPERM;
    domain_.create_client({message.control.flags, policy_.peer, message.control.arg[0], features_},
                          answer_later());
    return 0;
}

int LocalConnection::destroy_client(LocalMessage&) {
    domain_.destroy_client(client_, answer_later());
    return 0;
}

int LocalConnection::create_channel(LocalMessage& message) {
    const fc_control& in = message.control;
    if (in.arg[0] % 4096 != 0) return -EFAULT;
    std::byte* memory = windows_.translate(in.arg[0], in.arg[1]);
    if (memory == nullptr) return -EFAULT;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) return -EMFILE;
    struct Keep {
        std::shared_ptr<ClientMapping> memory;
        UniqueFd socket;
    };
    auto keep = std::make_shared<Keep>(Keep{memory_, UniqueFd(ends[0])});
    answer_fd_ = UniqueFd(ends[1]);
    ChannelConfig config;
    config.memory = memory;
    config.bytes = in.arg[1];
    config.command_slots = static_cast<uint32_t>(in.arg[2]);
    config.event_slots = static_cast<uint32_t>(in.arg[2] >> 32);
    config.flags = in.flags;
    config.interrupt_fd = ends[0];
    config.doorbell_fd = ends[0];
    config.keep = std::move(keep);
    domain_.create_channel(client_, std::move(config), answer_later());
    return 0;
}

int LocalConnection::destroy_channel(LocalMessage& message) {
    domain_.destroy_channel(client_, message.control.channel, answer_later());
    return 0;
}

int LocalConnection::add_region(LocalMessage& message) {
    const fc_control& in = message.control;
    RegionConfig config;
    config.flags = in.flags;
    if (message.fds.empty()) {
        std::byte* data = windows_.translate(in.arg[0], in.arg[2]);
        if (data == nullptr) return -EFAULT;
        config.segments.push_back({data, in.arg[2]});
        config.keep = memory_;
    } else {
        if (in.arg[0] != 0) return -EINVAL;
        if (in.arg[2] > domain_.limits().max_region_bytes) return -E2BIG;
        std::shared_ptr<ClientMapping> mapping;
        const bool writable = (in.flags & FC_REGION_WRITE) != 0;
        if (int rc = ClientMapping::map(message.fds[0].get(), in.arg[2], writable, budget_, mapping); rc < 0)
            return rc;
        config.segments.push_back({mapping->data(), mapping->bytes()});
        config.keep = std::move(mapping);
    }
    domain_.add_region(client_, std::move(config), answer_later());
    return 0;
}

int LocalConnection::remove_region(LocalMessage& message) {
    if (message.control.arg[0] > UINT32_MAX) return -ENOENT;
    domain_.remove_region(client_, static_cast<uint32_t>(message.control.arg[0]), answer_later());
    return 0;
}

int LocalConnection::allocate_ids(LocalMessage& message) {
    const uint64_t count = message.control.arg[0];
    if (count == 0 || count > FC_MAX_ID_REQUEST) return -EINVAL;
    domain_.allocate_ids(client_, count, answer_later());
    return 0;
}

ControlDone LocalConnection::answer_later() {
    busy_ = true;
    return [mailbox = mailbox_, id = id_](ControlResult result) { mailbox->put({id, result}); };
}

LocalConnection::Next LocalConnection::complete(const ControlResult& result) {
    busy_ = false;
    const uint32_t op = request_.op;
    if (result.status == 0 && op == FC_CTL_CLIENT_CREATE) {
        has_client_ = had_client_ = true;
        client_ = static_cast<ClientId>(result.value);
    }
    if (op == FC_CTL_CLIENT_DESTROY) has_client_ = false;
    if (!socket_) return Next::kClose;
    fill_answer(0);
    if (result.status == 0) {
        switch (op) {
            case FC_CTL_CLIENT_CREATE:
                request_.client = client_;
                request_.arg[0] = result.value >> 32;
                break;
            case FC_CTL_CHANNEL_CREATE:
                request_.channel = static_cast<uint32_t>(result.value);
                break;
            default:
                request_.arg[0] = result.value;
                break;
        }
    } else {
        answer_fd_.reset();
    }
    return answer(result.status);
}

void LocalConnection::fill_answer(uint64_t value) {
    for (fc_u64& arg : request_.arg)
        arg = 0;
    request_.arg[0] = value;
}

LocalConnection::Next LocalConnection::answer(int status) {
    request_.status = status;
    const bool sent = send_answer(socket_.get(), request_, answer_fd_.get());
    answer_fd_.reset();
    return sent ? Next::kReceive : Next::kClose;
}

LocalConnection::Next LocalConnection::protocol_error(const char* what) const {
    spdlog::warn("{}: {}; connection closed", name_, what);
    return Next::kClose;
}

void LocalConnection::end_detached() {
    if (has_client_) domain_.end_detached(client_);
}

bool LocalConnection::close() {
    socket_.reset();
    answer_fd_.reset();
    if (busy_) return false;
    if (!has_client_) return true;
    request_.op = FC_CTL_CLIENT_DESTROY;
    domain_.destroy_client(client_, answer_later());
    return false;
}

}  // namespace farcall
