// SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>

#include <mutex>
#include <set>

#include "host-lib/error.h"
#include "tests/test_client.h"
#include "vmm/layout.h"
#include "vmm/offload_device.h"

namespace farcall::test {

/// Where the device's interrupts go: a connected vector's eventfd is "delivered" when it can be read.
class FakeInterrupts final : public vmm::InterruptSink {
  public:
    void connect(unsigned vector, int event_fd, const vmm::MsiMessage& message) override {
        const std::scoped_lock lock(mutex_);
        connected_[vector] = {event_fd, message};
    }
    void disconnect(unsigned vector, int event_fd) override {
        const std::scoped_lock lock(mutex_);
        const auto entry = connected_.find(vector);
        wrong_ = wrong_ || entry == connected_.end() || entry->second.first != event_fd;
        connected_.erase(vector);
    }
    /// True when the vector was delivered since the last look.
    bool take(unsigned vector) {
        const std::scoped_lock lock(mutex_);
        uint64_t count = 0;
        const auto entry = connected_.find(vector);
        return entry != connected_.end() && ::read(entry->second.first, &count, sizeof count) == sizeof count;
    }
    std::optional<vmm::MsiMessage> message(unsigned vector) {
        const std::scoped_lock lock(mutex_);
        const auto entry = connected_.find(vector);
        if (entry == connected_.end()) return std::nullopt;
        return entry->second.second;
    }
    /// A vector was disconnected that was not connected.
    bool wrong() const { return wrong_; }

  private:
    std::mutex mutex_;
    std::map<unsigned, std::pair<int, vmm::MsiMessage>> connected_;
    bool wrong_ = false;
};

class FakeDoorbells final : public vmm::DoorbellSink {
  public:
    void place(uint64_t address) override { places.push_back(address); }
    std::vector<uint64_t> places;
};

/// The offload device at 00:01.0 of a bus, an engine, and fake guest RAM with a hole: what a guest sees
/// without KVM.
class DeviceRig : public testing::Test {
  protected:
    static constexpr uint64_t kRam = 4 << 20;
    static constexpr uint64_t kHigh = 1ull << 32;  // one more MiB there
    static constexpr uint64_t kHighBytes = 1 << 20;
    static constexpr uint64_t kPage = 4096;
    static constexpr uint64_t kControl = kPage;
    static constexpr uint64_t kList = 2 * kPage;  // segments
    static constexpr uint64_t kArena = 1 << 20;   // 64 KiB
    static constexpr uint64_t kArenaBytes = 1 << 16;
    static constexpr uint64_t kRing = 2 << 20;
    static constexpr uint32_t kSlots = 64;
    static constexpr uint16_t kConfigAddress = vmm::layout::kPortPciAddress;
    static constexpr uint16_t kConfigData = vmm::layout::kPortPciData;

    DeviceRig() : ram_(kRam + kHighBytes + kPage) {
        base_ = ram_.data() + (kPage - reinterpret_cast<uintptr_t>(ram_.data()) % kPage);
        memory_.add_window(0, kRam, base_);
        memory_.add_window(kHigh, kHighBytes, base_ + kRam);
        EXPECT_EQ(pipe(in_), 0);
        DomainConfig config;
        config.streams.in = in_[0];
        config.limits.max_clients = 4;
        config.limits.max_channels = 3;
        config.limits.max_regions = 3;
        config.limits.max_region_bytes = 2 << 20;
        config.limits.max_id_blocks = 16;
        domain_ = engine_.create_domain(config);
        device_.emplace(vmm::OffloadDevice::Parts{memory_, engine_, *domain_, interrupts_, doorbells_, stop_,
                                                  [] { return uint64_t{1234}; }});
        bus_.add(bridge_);
        bus_.add(*device_);
    }
    ~DeviceRig() override {
        domain_.reset();
        close(in_[0]);
        close(in_[1]);
    }

    template <typename T>
    T* at(uint64_t address, uint64_t count = 1) {
        auto* found = reinterpret_cast<T*>(memory_.translate(address, count * sizeof(T)));
        EXPECT_NE(found, nullptr);
        return found;
    }

    // Configuration space of the device, through the ports.
    uint32_t config_read(unsigned offset, unsigned bytes = 4) {
        uint32_t value = 0;
        bus_.port_write(kConfigAddress, 4, 0x80000000u | 1 << 11 | (offset & 0xfc));
        EXPECT_TRUE(bus_.port_read(static_cast<uint16_t>(kConfigData + (offset & 3)), bytes, value));
        return value;
    }
    void config_write(unsigned offset, uint32_t value, unsigned bytes = 4) {
        bus_.port_write(kConfigAddress, 4, 0x80000000u | 1 << 11 | (offset & 0xfc));
        EXPECT_TRUE(bus_.port_write(static_cast<uint16_t>(kConfigData + (offset & 3)), bytes, value));
    }
    uint64_t bar(unsigned index) { return config_read(0x10 + 4 * index) & ~0xfu; }
    uint64_t memory_read(unsigned index, uint64_t offset, unsigned bytes = 4) {
        uint64_t value = 0;
        EXPECT_TRUE(bus_.memory_read(bar(index) + offset, bytes, value));
        return value;
    }
    void memory_write(unsigned index, uint64_t offset, uint64_t value, unsigned bytes = 4) {
        EXPECT_TRUE(bus_.memory_write(bar(index) + offset, bytes, value));
    }
    uint32_t read_register(uint64_t offset) { return static_cast<uint32_t>(memory_read(0, offset)); }
    void write_register(uint64_t offset, uint32_t value) { memory_write(0, offset, value); }

    void use_control_page(uint64_t address) {
        write_register(FC_REG_CONTROL_LO, static_cast<uint32_t>(address));
        write_register(FC_REG_CONTROL_HI, static_cast<uint32_t>(address >> 32));
    }
    fc_control* slot(uint32_t index) { return at<fc_control>(kControl + index * sizeof(fc_control)); }

    void post(uint32_t index, fc_control request) {
        request.status = FC_CONTROL_PENDING;
        *slot(index) = request;
        write_register(FC_REG_CONTROL_POST, index);
    }
    /// True when the slot was answered within `limit`.
    bool answered(uint32_t index, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (fc_load_acquire(&slot(index)->status) == FC_CONTROL_PENDING) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::yield();
        }
        return true;
    }
    fc_control call(const fc_control& request) {
        post(0, request);
        EXPECT_TRUE(answered(0)) << "request " << request.op << " got no answer";
        return *slot(0);
    }
    int status_of(const fc_control& request) { return call(request).status; }

    static fc_control request(uint32_t op, uint32_t client = 0, uint32_t flags = 0) {
        fc_control out{};
        out.op = op;
        out.client = client;
        out.flags = flags;
        return out;
    }
    static fc_control hello() {
        fc_control out = request(FC_CTL_HELLO);
        out.arg[0] = FC_ABI_VERSION;
        out.arg[1] = FC_FEATURE_ALL;
        return out;
    }
    fc_control region(uint32_t client, uint32_t flags, const std::vector<fc_segment>& segments) {
        for (size_t i = 0; i < segments.size(); i++)
            *at<fc_segment>(kList + i * sizeof(fc_segment)) = segments[i];
        fc_control out = request(FC_CTL_REGION_ADD, client, flags);
        out.arg[0] = kList;
        out.arg[1] = segments.size();
        return out;
    }
    fc_control arena(uint32_t client) {
        return region(client, FC_REGION_ARENA | FC_REGION_WRITE, {{kArena, kArenaBytes}});
    }
    static fc_control channel(uint32_t client, uint64_t vector = 1) {
        fc_control out = request(FC_CTL_CHANNEL_CREATE, client);
        out.arg[0] = kRing;
        out.arg[1] = fc_channel_bytes(kSlots, kSlots, sizeof(fc_event));
        out.arg[2] = kSlots | static_cast<uint64_t>(kSlots) << 32;
        out.arg[3] = vector;
        return out;
    }
    /// HELLO, and a client with an arena. Its number.
    uint32_t start(uint32_t flags = 0) {
        use_control_page(kControl);
        EXPECT_EQ(status_of(hello()), 0);
        return add_client(flags);
    }
    uint32_t add_client(uint32_t flags = 0) {
        const fc_control made = call(request(FC_CTL_CLIENT_CREATE, 0, flags));
        EXPECT_EQ(made.status, 0);
        EXPECT_EQ(status_of(arena(made.client)), 0);
        return made.client;
    }

    // The client's side of the channel at kRing.
    fc_control open_channel(uint32_t client, uint64_t vector = 1) {
        std::fill_n(at<std::byte>(kRing, 1 << 16), 1 << 16, std::byte{0});
        tail_ = head_ = 0;
        const fc_control made = call(channel(client, vector));
        EXPECT_EQ(made.status, 0);
        doorbell_ = made.arg[0];
        return made;
    }
    void post_command(const fc_command& command) {
        auto* header = at<fc_ring_header>(kRing);
        fc_command_publish(at<fc_command>(kRing + FC_COMMANDS_OFFSET, kSlots), kSlots - 1, tail_++, &command);
        if (fc_doorbell_needed(header, tail_)) memory_write(FC_PCI_BAR_DOORBELLS, doorbell_, 1);
    }
    std::optional<fc_event> next_event() {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        void* events = at<std::byte>(kRing + fc_events_offset(kSlots), kSlots * sizeof(fc_event));
        fc_event event{};
        while (!fc_event_read(fc_event_slot(events, kSlots - 1, sizeof(fc_event), head_), head_, &event)) {
            if (std::chrono::steady_clock::now() > end) return std::nullopt;
            std::this_thread::yield();
        }
        fc_store_release(&at<fc_ring_header>(kRing)->event_head, ++head_);
        return event;
    }
    void expect_nop_works(uint64_t id) {
        post_command(nop(id, 42));
        const auto event = next_event();
        ASSERT_TRUE(event) << "the nop never completed";
        EXPECT_EQ(event->id, id);
        EXPECT_EQ(event->result, 42);
    }
    void wait_for_reset() {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (read_register(FC_REG_RESET) != 0 && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        EXPECT_EQ(read_register(FC_REG_RESET), 0u) << "the reset never ended";
    }

    std::vector<std::byte> ram_;
    std::byte* base_ = nullptr;
    GuestMemory memory_;
    int in_[2] = {-1, -1};
    FakeInterrupts interrupts_;
    FakeDoorbells doorbells_;
    vmm::StopEvent stop_;
    // The device outlives the engine's threads, and the domain goes before the engine.
    std::optional<vmm::OffloadDevice> device_;
    Engine engine_{EngineConfig{.workers = 3, .blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
    vmm::HostBridge bridge_;
    vmm::PciBus bus_;
    uint32_t tail_ = 0, head_ = 0;
    uint64_t doorbell_ = 0;
};

}  // namespace farcall::test
