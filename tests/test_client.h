// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <farcall/ring.h>

#include "host-lib/engine.h"
#include "host-lib/unique_fd.h"
#include "tests/test_seed.h"

namespace farcall::test {

/// A client that speaks to the engine through raw rings, so that it can also misbehave. Single-threaded.
class TestClient {
  public:
    static constexpr uint32_t kArenaBytes = 1 << 20;

    struct Options {
        uint32_t command_slots = 64;
        uint32_t event_slots = 64;
        uint32_t channel_flags = 0;
        uint32_t client_flags = 0;
        uint64_t near_serial = 0;
        uint64_t features = FC_FEATURE_ALL;
    };

    explicit TestClient(Domain& domain) : TestClient(domain, Options{}) {}
    TestClient(Domain& domain, Options options) : domain_(domain), options_(options) {
        const ControlResult made = call([&](ControlDone done) {
            domain.create_client({.flags = options.client_flags,
                                  .near_serial = options.near_serial,
                                  .features = options.features},
                                 done);
        });
        EXPECT_EQ(made.status, 0);
        id_ = static_cast<ClientId>(made.value);
        serial_ = static_cast<uint32_t>(made.value >> 32);
        arena_ = map(kArenaBytes);
        RegionConfig arena{{{arena_, kArenaBytes}}, FC_REGION_ARENA | FC_REGION_WRITE, nullptr};
        EXPECT_EQ(call([&](ControlDone done) { domain.add_region(id_, arena, done); }).status, 0);
        interrupt_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        add_channel();
        const ControlResult ids =
            call([&](ControlDone done) { domain.allocate_ids(id_, FC_ID_BLOCK, done); });
        EXPECT_EQ(ids.status, 0);
        next_id_ = ids.value;
    }
    ~TestClient() {
        if (!destroyed_) destroy();
        for (auto& [memory, bytes] : maps_)
            munmap(memory, bytes);
    }
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;

    static ControlResult call(const std::function<void(ControlDone)>& f) { return Engine::wait_for(f); }

    ControlResult destroy() {
        destroyed_ = true;
        return call([&](ControlDone done) { domain_.destroy_client(id_, done); });
    }

    std::byte* map(size_t bytes) {
        void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        maps_.emplace_back(memory, bytes);
        return static_cast<std::byte*>(memory);
    }

    void add_channel() {
        const uint32_t event_size = options_.channel_flags & FC_CHANNEL_TIMESTAMPS ? 32 : 16;
        ChannelConfig config;
        config.bytes = fc_channel_bytes(options_.command_slots, options_.event_slots, event_size);
        config.memory = map((config.bytes + 4095) & ~4095ull);
        config.command_slots = options_.command_slots;
        config.event_slots = options_.event_slots;
        config.flags = options_.channel_flags;
        config.interrupt_fd = interrupt_.get();
        const ControlResult made = call([&](ControlDone done) { domain_.create_channel(id_, config, done); });
        ASSERT_EQ(made.status, 0);
        channel_ = static_cast<ChannelId>(made.value);
        header_ = reinterpret_cast<fc_ring_header*>(config.memory);
        commands_ = reinterpret_cast<fc_command*>(config.memory + FC_COMMANDS_OFFSET);
        events_ = config.memory + fc_events_offset(options_.command_slots);
        event_size_ = event_size;
        tail_ = event_head_ = 0;
    }

    ClientId id() const { return id_; }
    ChannelId channel() const { return channel_; }
    uint32_t serial() const { return serial_; }
    fc_ring_header* header() { return header_; }
    fc_command* commands() { return commands_; }
    int interrupt_fd() const { return interrupt_.get(); }
    std::byte* arena() const { return arena_; }
    uint64_t& variable(uint32_t index) { return reinterpret_cast<uint64_t*>(arena_)[index]; }
    uint64_t new_id() { return next_id_++; }
    uint32_t tail() const { return tail_; }
    /// Events that were read.
    uint32_t completed() const { return event_head_; }

    void post(const fc_command& command) {
        fc_command_publish(commands_, options_.command_slots - 1, tail_++, &command);
        if (fc_doorbell_needed(header_, tail_)) ring();
    }
    void ring() {
        const uint64_t one = 1;
        ASSERT_EQ(write(domain_.doorbell_fd(id_), &one, sizeof(one)), 8);
        doorbells++;
    }

    std::optional<fc_event_ts> poll() {
        const fc_event* slot = fc_event_slot(events_, options_.event_slots - 1, event_size_, event_head_);
        fc_event_ts event{};
        if (!fc_event_read(slot, event_head_, &event.event)) return std::nullopt;
        if (event_size_ == sizeof(fc_event_ts)) {
            const auto* large = reinterpret_cast<const fc_event_ts*>(slot);
            event.picked_up = large->picked_up;
            event.started_after = large->started_after;
            event.completed_after = large->completed_after;
        }
        event_head_++;
        fc_store_release(&header_->event_head, event_head_);
        return event;
    }

    /// The next event; nothing after 20 s.
    std::optional<fc_event_ts> next() {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < end) {
            if (auto event = poll()) return event;
            std::this_thread::yield();
        }
        return std::nullopt;
    }
    /// The next event; fails the test when none comes.
    fc_event_ts wait() {
        const auto event = next();
        if (!event) ADD_FAILURE() << "no event came: " << describe();
        return event.value_or(fc_event_ts{});
    }
    std::string describe() const {
        return "worker_armed " + std::to_string(header_->worker_armed) + " status " +
               std::to_string(header_->status) + " command head " + std::to_string(header_->command_head) +
               " tail " + std::to_string(tail_) + " event tail " + std::to_string(header_->event_tail) +
               " head " + std::to_string(event_head_);
    }
    fc_event run(const fc_command& command) {
        post(command);
        return wait().event;
    }
    /// `count` events, by their id.
    std::map<uint64_t, fc_event> collect(size_t count) {
        std::map<uint64_t, fc_event> events;
        for (size_t i = 0; i < count; i++) {
            const fc_event event = wait().event;
            EXPECT_TRUE(events.emplace(event.id, event).second) << "two events for id " << event.id;
        }
        return events;
    }

    uint32_t doorbells = 0;

  private:
    Domain& domain_;
    Options options_;
    ClientId id_ = 0;
    ChannelId channel_ = 0;
    uint32_t serial_ = 0;
    bool destroyed_ = false;
    std::byte* arena_ = nullptr;
    fc_ring_header* header_ = nullptr;
    fc_command* commands_ = nullptr;
    std::byte* events_ = nullptr;
    uint32_t event_size_ = 16;
    uint32_t tail_ = 0;
    uint32_t event_head_ = 0;
    uint64_t next_id_ = 0;
    UniqueFd interrupt_;
    std::vector<std::pair<void*, size_t>> maps_;
};

/// A directory that is removed at the end.
class TempDir {
  public:
    TempDir() : TempDir(std::filesystem::temp_directory_path()) {}
    explicit TempDir(const std::filesystem::path& where) {
        std::string pattern = (where / "farcall-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~TempDir() { std::filesystem::remove_all(path_); }
    const std::filesystem::path& path() const { return path_; }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name) << text;
    }
    std::string read(const std::string& name) const {
        std::ifstream in(path_ / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

  private:
    std::filesystem::path path_;
};

// Commands, by op.
inline fc_command nop(uint64_t id, uint32_t result = 0) {
    fc_command c{};
    c.opcode = FC_OP_NOP;
    c.id = id;
    c.length = result;
    return c;
}
inline fc_command with_id(fc_command c) {
    c.flags |= FC_F_ID;
    return c;
}
inline fc_command after(fc_command c, uint64_t event) {
    c.wait_count = 1;
    c.wait = event;
    return c;
}
inline fc_command transfer(uint8_t op, uint64_t id, uint32_t handle, uint64_t offset, uint64_t buffer,
                           uint32_t length) {
    fc_command c{};
    c.opcode = op;
    c.id = id;
    c.handle = handle;
    c.offset = offset;
    c.buffer = buffer;
    c.length = length;
    return c;
}

}  // namespace farcall::test
