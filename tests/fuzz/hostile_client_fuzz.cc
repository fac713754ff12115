// SPDX-License-Identifier: MIT
// libFuzzer plays a hostile client: it owns the rings, the arena and the control requests of a real engine,
// and writes into them what it likes, when it likes. The sanitizers watch the host; beside that, three things
// must hold for every input: a bystander of the same worker gets service, the client can be destroyed, and
// after that the host never touches its memory again.
//
// hostile_client_fuzz -max_total_time=60 [CORPUS_DIR]
#include <fuzzer/FuzzedDataProvider.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "host-lib/engine.h"
#include "tests/fuzz/raw_client.h"

namespace farcall {
namespace {

constexpr uint32_t kRegionBytes = 1 << 14;
constexpr rlim_t kMaxFileBytes = 1 << 20;
constexpr int kMaxMoves = 64;
constexpr auto kPatience = std::chrono::seconds(20);

/// The engine under test; made once.
struct World {
    World()
        : engine({.workers = 1,
                  .worker_cpus = {},
                  .blocking_threads = 1,
                  .spin = std::chrono::microseconds(5)}) {
        // A client may grow files of a writable share as its owner allows; here, not much.
        signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{kMaxFileBytes, kMaxFileBytes};
        setrlimit(RLIMIT_FSIZE, &limit);
        char name[] = "/dev/shm/farcall-fuzz-XXXXXX";
        if (mkdtemp(name) == nullptr) broken("a directory can be made");
        directory = name;
        reset_share();
        DomainConfig config;
        config.shares.push_back({share(), true});
        domain = engine.create_domain(config);
        bystander = std::make_unique<RawClient>(*domain, bystander_arena, bystander_channel);
    }
    ~World() {
        bystander->destroy();
        domain.reset();
        std::filesystem::remove_all(directory);
    }
    std::string share() const { return directory + "/share"; }
    void reset_share() const {
        std::filesystem::create_directories(share() + "/dir/sub");
        for (const auto& entry : std::filesystem::directory_iterator(share()))
            std::filesystem::remove_all(entry);
        std::filesystem::create_directories(share() + "/dir/sub");
        std::FILE* file = std::fopen((share() + "/file").c_str(), "w");
        std::fputs("some bytes to read\n", file);
        std::fclose(file);
    }
    void check_bystander() {
        fc_command nop{};
        nop.length = 7;
        bystander->post(nop);
        fc_event event;
        const auto limit = std::chrono::steady_clock::now() + kPatience;
        while (!bystander->take(&event)) {
            if (std::chrono::steady_clock::now() > limit) broken("a bystander gets service");
            std::this_thread::yield();
        }
        if (event.result != 7) broken("a bystander gets its own result");
    }

    std::string directory;
    Memory arena{kArenaBytes}, channel{kChannelBytes}, region{kRegionBytes};
    Memory bystander_arena{kArenaBytes}, bystander_channel{kChannelBytes};
    Engine engine;
    std::unique_ptr<Domain> domain;
    std::unique_ptr<RawClient> bystander;
};

/// One hostile client's life, steered by the input.
class Attack {
  public:
    Attack(World& world, FuzzedDataProvider& input)
        : world_(world), input_(input), client_(*world.domain, world.arena, world.channel) {}

    void run() {
        add_region();
        for (int i = 0; i < kMaxMoves && input_.remaining_bytes() > 0; i++)
            move();
        client_.destroy();
    }

  private:
    void move() {
        switch (input_.ConsumeIntegralInRange(0, 11)) {
            case 0:
                return raw_command();
            case 1:
                return scribble(world_.channel, kChannelBytes);
            case 2:
                return header_word();
            case 3:
                return client_.ring();
            case 4:
                return scribble(world_.arena, kArenaBytes);
            case 5:
                return take_events();
            case 6:
                return control();
            case 7:
                return world_.check_bystander();
            default:
                return plausible_command();
        }
    }

    void raw_command() {
        fc_command command{};
        input_.ConsumeData(&command, sizeof(command));
        client_.post(command);
    }
    void scribble(Memory& memory, uint64_t bytes) {
        const uint64_t at = input_.ConsumeIntegralInRange<uint64_t>(0, bytes - 1);
        const std::string text = input_.ConsumeRandomLengthString(64);
        std::memcpy(memory.base + at, text.data(), std::min<uint64_t>(text.size(), bytes - at));
    }
    void header_word() {
        fc_ring_header* header = client_.header();
        fc_u32* const words[] = {&header->command_tail, &header->event_head,   &header->command_head,
                                 &header->event_tail,   &header->worker_armed, &header->client_armed};
        const uint32_t value = input_.ConsumeBool() ? client_.tail + input_.ConsumeIntegral<int8_t>()
                                                    : input_.ConsumeIntegral<uint32_t>();
        fc_store_relaxed(words[input_.ConsumeIntegralInRange<size_t>(0, std::size(words) - 1)], value);
        client_.ring();
    }
    void take_events() {
        world_.check_bystander();  // the same worker: it has gone round since
        fc_event event;
        while (client_.take(&event)) {
            if (event.result > 0)
                results_[next_result_++ % results_.size()] = static_cast<uint32_t>(event.result);
        }
    }

    /// Close enough to a real command to come past the first checks.
    void plausible_command() {
        fc_command c{};
        c.opcode = input_.ConsumeIntegralInRange<uint8_t>(0, FC_OP_COUNT);
        if (input_.ConsumeBool()) c.flags = static_cast<uint16_t>(1u << input_.ConsumeIntegralInRange(0, 15));
        if (input_.ConsumeBool()) c.flags |= FC_F_ID;
        c.handle = pick_handle();
        c.id = c.flags & FC_F_ID ? pick_id() : 1;
        c.offset = pick_offset();
        c.buffer = input_.ConsumeIntegralInRange<uint64_t>(0, 512) * 8;
        c.region = input_.ConsumeBool() ? 0 : pick_handle();
        c.length = input_.ConsumeIntegralInRange<uint32_t>(0, 300);
        c.op_flags = input_.ConsumeBool() ? 0 : input_.ConsumeIntegral<uint8_t>();
        if (input_.ConsumeBool()) {
            c.wait_count = input_.ConsumeIntegralInRange<uint16_t>(1, 4);
            c.wait = c.wait_count == 1 ? pick_id() : 8 * input_.ConsumeIntegralInRange<uint64_t>(0, 64);
        }
        if (c.flags & (FC_F_RESULT_STORE | FC_F_RESULT_ADD)) c.result_var = input_.ConsumeIntegral<uint8_t>();
        if (input_.ConsumeBool()) c.deadline = input_.ConsumeIntegral<uint8_t>();
        clear_unused(c);
        client_.post(c);
    }
    /// Half of the commands have zeros where most ops want them: otherwise few would come past that check.
    void clear_unused(fc_command& c) {
        if (input_.ConsumeBool()) c.op_flags = 0;
        if (input_.ConsumeBool()) c.offset = 0;
        if (input_.ConsumeBool()) c.region = 0;
        if (input_.ConsumeBool()) c.buffer = c.length = 0;
        if (input_.ConsumeBool()) c.handle = 0;
    }
    uint32_t pick_handle() {
        const size_t pick = input_.ConsumeIntegralInRange<size_t>(0, results_.size() + 1);
        if (pick < results_.size()) return results_[pick];
        return pick == results_.size() ? region_key_ : input_.ConsumeIntegral<uint32_t>();
    }
    uint64_t pick_id() {
        return client_.ids +
               input_.ConsumeIntegralInRange<uint64_t>(0, input_.ConsumeBool() ? 8 : FC_ID_BLOCK);
    }
    uint64_t pick_offset() {
        switch (input_.ConsumeIntegralInRange(0, 4)) {
            case 0:
                return FC_OFFSET_CURRENT;
            case 1:
                return pick_id();
            case 2:
                return 8 * input_.ConsumeIntegralInRange<uint64_t>(0, 512);
            case 3:
                return pick_handle() | static_cast<uint64_t>(input_.ConsumeIntegral<uint8_t>()) << 32;
            default:
                return input_.ConsumeIntegral<uint64_t>() >> input_.ConsumeIntegralInRange(0, 63);
        }
    }

    void add_region() {
        const RegionConfig config{{{world_.region.base, kRegionBytes}}, FC_REGION_WRITE, nullptr};
        const ControlResult added =
            call([&](ControlDone done) { world_.domain->add_region(client_.id, config, done); });
        if (added.status == 0) region_key_ = static_cast<uint32_t>(added.value);
    }
    void control() {
        Domain& domain = *world_.domain;
        const auto number = input_.ConsumeIntegral<uint32_t>();
        switch (input_.ConsumeIntegralInRange(0, 4)) {
            case 0:
                return add_region();
            case 1:
                call([&](ControlDone done) {
                    domain.remove_region(client_.id, number % 2 ? region_key_ : number, done);
                });
                return;
            case 2:
                call([&](ControlDone done) { domain.allocate_ids(client_.id, number, done); });
                return;
            case 3:
                call([&](ControlDone done) { domain.destroy_channel(client_.id, number, done); });
                return;
            default:
                client_.remove_channel();
                world_.channel.fill(0);
                return client_.add_channel();
        }
    }

    World& world_;
    FuzzedDataProvider& input_;
    RawClient client_;
    std::array<uint32_t, 4> results_{};
    size_t next_result_ = 0;
    uint32_t region_key_ = 0;
};

void play(const uint8_t* data, size_t size) {
    static World world;
    static uint32_t rounds = 0;
    // What the last client left behind is filled with a pattern: nobody may have written to it since.
    constexpr std::byte kQuiet{0x5a};
    for (Memory* memory : {&world.arena, &world.channel, &world.region})
        if (rounds > 0 && !memory->is_all(kQuiet)) broken("a destroyed client's memory is left alone");
    if (++rounds % 1024 == 0) world.reset_share();
    FuzzedDataProvider input(data, size);
    Attack(world, input).run();
    for (Memory* memory : {&world.arena, &world.channel, &world.region})
        memory->fill(static_cast<int>(kQuiet));
    world.check_bystander();
}

}  // namespace
}  // namespace farcall

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    farcall::play(data, size);
    return 0;
}
