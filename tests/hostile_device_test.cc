// SPDX-License-Identifier: MIT
// The PCI device against guests that take it down if they can: teardown at the wrong moment, and anything at
// random.
#include "tests/device_rig.h"

namespace farcall::test {
namespace {

using HostileDevice = DeviceRig;
using std::chrono::milliseconds;

class Teardown : public DeviceRig {
  protected:
    // A client with a read of an empty pipe under way in a second region; sets its number and the region's
    // key.
    void pin_a_region() {
        client_ = start(FC_CLIENT_STREAMS);
        const fc_control added = call(region(client_, FC_REGION_WRITE, {{kArena + kArenaBytes, kPage}}));
        ASSERT_EQ(added.status, 0);
        remove_ = request(FC_CTL_REGION_REMOVE, client_);
        remove_.arg[0] = added.arg[0];
        open_channel(client_);
        fc_command read = transfer(FC_OP_READ, 1, FC_HANDLE_STDIN, FC_OFFSET_CURRENT, 0, 16);
        read.region = static_cast<uint32_t>(added.arg[0]);
        post_command(read);
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (engine_.stats().pool_jobs == 0 && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        ASSERT_EQ(engine_.stats().pool_jobs, 1u);
    }
    uint32_t client_ = 0;
    fc_control remove_{};
};

TEST_F(Teardown, RegionRemoveWaitsForItsUser) {
    ASSERT_NO_FATAL_FAILURE(pin_a_region());
    post(1, remove_);
    EXPECT_FALSE(answered(1, milliseconds(50))) << "the region is in use";
    EXPECT_EQ(status_of(remove_), -ENOENT) << "its key is gone at once";
    ASSERT_EQ(write(in_[1], "0123456789", 10), 10);
    EXPECT_TRUE(answered(1));
    EXPECT_EQ(slot(1)->status, 0);
    const auto event = next_event();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->result, 10);
    EXPECT_EQ(memcmp(at<char>(kArena + kArenaBytes, 10), "0123456789", 10), 0);
}

TEST_F(Teardown, ClientDestroyOvertakesRegionRemove) {
    ASSERT_NO_FATAL_FAILURE(pin_a_region());
    post(1, remove_);
    EXPECT_FALSE(answered(1, milliseconds(20)));
    post(2, request(FC_CTL_CLIENT_DESTROY, client_));
    EXPECT_TRUE(answered(1)) << "the region's removal never completed";
    EXPECT_TRUE(answered(2)) << "the client's end never completed";
    EXPECT_EQ(slot(1)->status, 0);
    EXPECT_EQ(slot(2)->status, 0);
    EXPECT_EQ(domain_->client_count(), 0u);
    open_channel(add_client(FC_CLIENT_STREAMS));
    expect_nop_works(9);
}

TEST_F(Teardown, ResetOvertakesBoth) {
    ASSERT_NO_FATAL_FAILURE(pin_a_region());
    post(1, remove_);
    post(2, request(FC_CTL_CLIENT_DESTROY, client_));
    write_register(FC_REG_RESET, 1);
    wait_for_reset();
    EXPECT_TRUE(answered(1));
    EXPECT_TRUE(answered(2));
    EXPECT_EQ(domain_->client_count(), 0u);
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_CREATE)), -EPROTO) << "HELLO is forgotten";
    open_channel(start(FC_CLIENT_STREAMS));
    expect_nop_works(9);
}

TEST_F(HostileDevice, ResetDestroysAllClients) {
    open_channel(start());
    add_client();
    EXPECT_EQ(domain_->client_count(), 2u);
    write_register(FC_REG_RESET, 0);
    wait_for_reset();
    EXPECT_EQ(domain_->client_count(), 0u);
    EXPECT_EQ(at<fc_ring_header>(kRing)->status, static_cast<uint32_t>(FC_CHANNEL_CLOSED));
    // Requests, resets and more requests without a pause.
    for (int i = 0; i < 300; i++) {
        post(static_cast<uint32_t>(i) % FC_CONTROL_SLOTS,
             i % 3 == 0 ? hello() : request(FC_CTL_CLIENT_CREATE));
        if (i % 7 == 0) write_register(FC_REG_RESET, 1);
    }
    wait_for_reset();
    write_register(FC_REG_RESET, 1);
    wait_for_reset();
    EXPECT_EQ(domain_->client_count(), 0u);
    open_channel(start());
    expect_nop_works(1);
}

TEST_F(HostileDevice, ControlPagesInOddPlaces) {
    const uint64_t odd[] = {kRam,  kRam - 64,   kControl + 64, kControl + 1, kHigh + kHighBytes,
                            ~0ull, ~0ull << 12, kHigh - kPage, 1ull << 63};
    std::fill_n(at<uint32_t>(0, kRam / 4), kRam / 4, 1u);  // every status says pending
    for (const uint64_t page : odd) {
        use_control_page(page);
        for (const uint32_t index : {0u, 1u, 63u, 64u, 65u, 1u << 26, ~0u})
            write_register(FC_REG_CONTROL_POST, index);
    }
    EXPECT_EQ(*std::min_element(at<uint32_t>(0, kRam / 4), at<uint32_t>(0, kRam / 4) + kRam / 4), 1u)
        << "nothing was answered";
    for (const uint64_t page : {kRam - kPage, kHigh, kHigh + kHighBytes - kPage, uint64_t{0}}) {
        auto* last = at<fc_control>(page + 63 * sizeof(fc_control));
        *last = request(FC_CTL_COUNT);
        last->status = FC_CONTROL_PENDING;
        use_control_page(page);
        write_register(FC_REG_CONTROL_POST, 63);
        EXPECT_EQ(last->status, -EINVAL) << "the last slot of a page is in RAM: " << page;
    }
    *slot(5) = hello();
    use_control_page(kControl);
    write_register(FC_REG_CONTROL_POST, 5);  // status 0: not posted
    EXPECT_EQ(slot(5)->status, 0);
    EXPECT_EQ(slot(5)->arg[2], 0u);
    open_channel(start());
    expect_nop_works(1);
}

TEST_F(HostileDevice, ASlotPostedAgainWhileUnderWay) {
    const uint32_t client = start();
    for (int i = 0; i < 200; i++) {
        post(3, request(FC_CTL_EVENT_IDS, client));
        slot(3)->arg[0] = 1;
        for (int again = 0; again < 5; again++)
            write_register(FC_REG_CONTROL_POST, 3);
        ASSERT_TRUE(answered(3));
    }
    open_channel(client);
    expect_nop_works(1);
}

uint64_t odd_number(std::mt19937_64& random) {
    switch (random() % 8) {
        case 0:
            return random();
        case 1:
            return ~0ull << random() % 64;
        case 2:
            return 1ull << random() % 64;
        case 3:
            return random() % 32 * 4096 + (4 << 20) - 16 * 4096;  // about the end of RAM
        case 4:
            return (random() % 64 + 1) | (random() % 64 + 1) << 32;
        case 5:
            return 64 | 64ull << 32;
        default:
            return random() % 80;
    }
}

class RandomDevice : public DeviceRig {
  protected:
    // Posts a request that would be right but for a few fields, for a client and a channel that there were.
    void post_nearly_right(std::mt19937_64& random) {
        fc_control in = request(static_cast<uint32_t>(random() % (FC_CTL_COUNT + 1)));
        if (in.op > FC_CTL_CLIENT_CREATE && in.op != FC_CTL_VM_EXIT) in.client = client_;
        if (in.op == FC_CTL_HELLO) in = hello();
        if (in.op == FC_CTL_REGION_ADD) in = arena(client_);
        if (in.op == FC_CTL_REGION_ADD && random() % 2 == 0) in.flags = FC_REGION_WRITE;
        if (in.op == FC_CTL_CHANNEL_CREATE) in = channel(client_);
        if (in.op == FC_CTL_CHANNEL_DESTROY) in.channel = channel_;
        if (in.op == FC_CTL_CLIENT_DESTROY && random() % 8 != 0) return;
        for (uint64_t& argument : in.arg) {
            if (random() % 16 == 0) argument = odd_number(random);
        }
        if (random() % 16 == 0) in.flags = static_cast<uint32_t>(random() % 4);
        if (random() % 16 == 0) in.client = static_cast<uint32_t>(random() % 8);
        if (random() % 8 == 0) *at<fc_segment>(kList) = {odd_number(random), odd_number(random)};
        in.status = FC_CONTROL_PENDING;
        const auto where = static_cast<uint32_t>(random() % 66);
        if (where < FC_CONTROL_SLOTS) {
            look_at(*slot(where));
            *slot(where) = in;
        }
        device_->bar_write(0, FC_REG_CONTROL_POST, 4, where);
        at<uint32_t>(kRing)[random() % 1024] = static_cast<uint32_t>(random());
    }
    void look_at(const fc_control& answer) {
        if (answer.status != 0) return;
        if (answer.op == FC_CTL_CLIENT_CREATE) client_ = answer.client;
        if (answer.op == FC_CTL_CHANNEL_CREATE) channel_ = answer.channel;
        successes_[answer.op]++;
    }
    uint32_t client_ = 0, channel_ = 0;
    std::map<uint32_t, unsigned> successes_;
};

TEST_F(RandomDevice, Anything) {
    const uint32_t seed = test_seed();
    printf("FARCALL_TEST_SEED=%u\n", seed);
    std::mt19937_64 random(seed);
    uint64_t steps = 0;
    const auto end = std::chrono::steady_clock::now() + milliseconds(1500);
    while (std::chrono::steady_clock::now() < end) {
        steps++;
        const unsigned width = 1 + static_cast<unsigned>(random() % 8);
        const unsigned index = static_cast<unsigned>(random() % 3) * 2;
        switch (random() % 8) {
            case 0:  // ports, configured or not
                bus_.port_write(kConfigAddress, 4,
                                static_cast<uint32_t>(random() % 4 ? 0x80000800 | random() % 256 : random()));
                break;
            case 1: {
                const auto port = static_cast<uint16_t>(kConfigAddress + random() % 10);
                uint32_t value = 0;
                if (random() % 4 == 0)
                    bus_.port_write(port, 1u << random() % 3, static_cast<uint32_t>(odd_number(random)));
                bus_.port_read(port, 1u << random() % 3, value);
                break;
            }
            case 2: {
                uint64_t value = 0;
                bus_.memory_read(bar(index) + random() % 0x1100, width, value);
                device_->bar_read(static_cast<unsigned>(random() % 6), odd_number(random), width);
                break;
            }
            case 3:
                if (random() % 2 == 0)
                    bus_.memory_write(bar(index) + random() % 0x1100, width, odd_number(random));
                device_->bar_write(static_cast<unsigned>(random() % 6), odd_number(random), width,
                                   odd_number(random));
                break;
            case 4:
                if (random() % 64 == 0) device_->bar_write(0, FC_REG_RESET, 4, 1);
                device_->bar_write(0, FC_REG_CONTROL_LO, 4, random() % 4 ? kControl : odd_number(random));
                device_->bar_write(0, FC_REG_CONTROL_HI, 4, random() % 16 ? 0 : 1);
                break;
            default:
                post_nearly_right(random);
        }
    }
    EXPECT_GT(steps, 1000u);
    for (uint32_t op = FC_CTL_HELLO; op < FC_CTL_COUNT; op++)
        EXPECT_GT(successes_[op], 0u) << "no request " << op << " got anywhere: this tested too little";
    // After a reset, BARs in their places and no interrupts it is a device like any other.
    config_write(4, 0, 2);
    config_write(0x10, 0xc0000000), config_write(0x18, 0xc0004000), config_write(0x20, 0xc0001000);
    config_write(4, 2, 2);
    write_register(FC_REG_RESET, 1);
    wait_for_reset();
    EXPECT_EQ(domain_->client_count(), 0u);
    EXPECT_FALSE(interrupts_.wrong());
    open_channel(start(FC_CLIENT_STREAMS));
    for (uint64_t id = 1; id < 100; id++)
        expect_nop_works(id);
}

}  // namespace
}  // namespace farcall::test
