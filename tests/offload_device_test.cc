// SPDX-License-Identifier: MIT
// The PCI device as a well-behaved guest uses it, without KVM.
#include "tests/device_rig.h"

#include <unistd.h>

namespace farcall::test {
namespace {

using OffloadDevice = DeviceRig;
using std::chrono::milliseconds;

constexpr unsigned kMsixBar = FC_PCI_BAR_MSIX;
constexpr unsigned kMsixControl = 0x42;  // message control of the capability
constexpr uint32_t kEnable = 0x8000, kAllMasked = 0x4000;

TEST_F(OffloadDevice, Identity) {
    EXPECT_EQ(config_read(0), FC_PCI_VENDOR | FC_PCI_DEVICE << 16);
    EXPECT_EQ(read_register(FC_REG_MAGIC), FC_ABI_MAGIC);
    EXPECT_EQ(read_register(FC_REG_VERSION), FC_ABI_VERSION);
    EXPECT_EQ(read_register(FC_REG_EXITS), 1234u);
    EXPECT_EQ(read_register(FC_REG_FEATURES_LO), static_cast<uint32_t>(FC_FEATURE_ALL));
    EXPECT_EQ(config_read(kMsixControl, 2) & 0x7ff, FC_PCI_VECTORS - 1);
    write_register(FC_REG_MAGIC, 0);
    config_write(0, 0);
    EXPECT_EQ(read_register(FC_REG_MAGIC), FC_ABI_MAGIC);
    EXPECT_EQ(config_read(0), FC_PCI_VENDOR | FC_PCI_DEVICE << 16);
}

TEST_F(OffloadDevice, BarsAreSizedAndMoved) {
    const std::map<unsigned, uint32_t> sizes = {{0, 4096}, {2, 4 * 4096}, {4, 4096}};  // three workers
    std::set<uint64_t> taken;
    for (unsigned index = 0; index < 6; index++) {
        const uint32_t before = config_read(0x10 + 4 * index);
        config_write(0x10 + 4 * index, ~0u);
        const uint32_t mask = config_read(0x10 + 4 * index);
        config_write(0x10 + 4 * index, before);
        EXPECT_EQ(config_read(0x10 + 4 * index), before);
        const auto expected = sizes.find(index);
        EXPECT_EQ(mask, expected == sizes.end() ? 0 : ~(expected->second - 1)) << index;
        if (expected == sizes.end()) continue;
        EXPECT_EQ(before % expected->second, 0u) << "BAR " << index << " is not aligned to its size";
        for (uint64_t page = before; page < before + expected->second; page += kPage)
            EXPECT_TRUE(taken.insert(page).second) << "BAR " << index << " overlaps another";
    }
    const uint64_t old = bar(0);
    config_write(4, 0, 2);  // decoding off
    uint64_t value = 0;
    EXPECT_FALSE(bus_.memory_read(old, 4, value));
    const size_t places = doorbells_.places.size();
    config_write(0x10, 0xd0000000);
    config_write(0x18, 0xd0010000);
    EXPECT_EQ(doorbells_.places.size(), places) << "nothing is placed while decoding is off";
    config_write(4, 2, 2);
    EXPECT_EQ(doorbells_.places.back(), 0xd0010000u);
    EXPECT_FALSE(bus_.memory_read(old, 4, value));
    EXPECT_TRUE(bus_.memory_read(0xd0000000, 4, value));
    EXPECT_EQ(value, FC_ABI_MAGIC);
}

TEST_F(OffloadDevice, HelloComesFirst) {
    use_control_page(kControl);
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_CREATE)), -EPROTO);
    fc_control wrong = hello();
    wrong.arg[0] = FC_ABI_VERSION + 1;
    const fc_control refused = call(wrong);
    EXPECT_EQ(refused.status, -EPROTO);
    EXPECT_EQ(refused.arg[0], FC_ABI_VERSION) << "a refused HELLO still says the version";
    wrong = hello();
    wrong.arg[1] = 1ull << 63;
    const fc_control too_much = call(wrong);
    EXPECT_EQ(too_much.status, -ENOTSUP);
    EXPECT_EQ(too_much.arg[1], FC_FEATURE_ALL) << "a refused HELLO says what is on offer";
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_CREATE)), -EPROTO);
    const fc_control greeted = call(hello());
    EXPECT_EQ(greeted.status, 0);
    EXPECT_EQ(greeted.arg[1], hello().arg[1]) << "what was asked for";
    EXPECT_EQ(greeted.arg[2], 3 | 3ull << 32);
    EXPECT_EQ(greeted.arg[3], FC_MAX_COMMAND_SLOTS | static_cast<uint64_t>(FC_MAX_EVENT_SLOTS) << 32);
    EXPECT_EQ(greeted.arg[4], 2u << 20);
    EXPECT_EQ(status_of(hello()), -EINVAL) << "only once";
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_CREATE)), 0);
}

TEST_F(OffloadDevice, FieldsThatAreNotUsedMustBeZero) {
    use_control_page(kControl);
    for (const uint32_t op : {0u, static_cast<uint32_t>(FC_CTL_COUNT), ~0u})
        EXPECT_EQ(status_of(request(op)), -EINVAL) << op;
    fc_control in = hello();
    in.reserved = 1;
    EXPECT_EQ(status_of(in), -EINVAL);
    (in = hello()).flags = 1;
    EXPECT_EQ(status_of(in), -EINVAL);
    (in = hello()).client = 1;
    EXPECT_EQ(status_of(in), -EINVAL);
    (in = hello()).arg[4] = 1;
    EXPECT_EQ(status_of(in), -EINVAL);
    EXPECT_EQ(status_of(hello()), 0);
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_CREATE, 0, 2)), -EINVAL);
}

TEST_F(OffloadDevice, Clients) {
    use_control_page(kControl);
    EXPECT_EQ(status_of(hello()), 0);
    std::vector<uint32_t> clients;
    std::set<uint64_t> serials;
    fc_control near = request(FC_CTL_CLIENT_CREATE, 0, FC_CLIENT_NEAR);
    EXPECT_EQ(status_of(near), -EINVAL);
    near.arg[0] = 0xffffff;
    EXPECT_EQ(status_of(near), -ENOENT);
    near.flags = 0;
    EXPECT_EQ(status_of(near), -EINVAL);
    for (int i = 0; i < 4; i++) {
        const uint32_t flags = i == 0 ? FC_CLIENT_STREAMS : i == 1 ? FC_CLIENT_KERNEL : 0;
        const fc_control made = call(request(FC_CTL_CLIENT_CREATE, 0, flags));
        EXPECT_EQ(made.status, 0);
        EXPECT_EQ(made.arg[1], ::geteuid() | static_cast<uint64_t>(::getegid()) << 32);
        clients.push_back(made.client);
        EXPECT_TRUE(serials.insert(made.arg[0]).second);
    }
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_CREATE)), -EMFILE);
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_DESTROY, clients[1])), 0);
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_DESTROY, clients[1])), -ENOENT);
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_CREATE, 0, FC_CLIENT_STREAMS)), -EPERM);
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_DESTROY, clients[0])), 0);
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_CREATE, 0, FC_CLIENT_STREAMS)), 0) << "given back";
}

TEST_F(OffloadDevice, RegionsAndEventIds) {
    use_control_page(kControl);
    EXPECT_EQ(status_of(hello()), 0);
    const uint32_t client = call(request(FC_CTL_CLIENT_CREATE)).client;
    EXPECT_LT(status_of(region(client, 0, {{kArena, kPage}})), 0) << "the arena comes first";
    EXPECT_EQ(status_of(region(client, FC_REGION_ARENA | FC_REGION_WRITE, {{kArena + 4, kPage}})), -EINVAL);
    EXPECT_EQ(status_of(region(client, FC_REGION_ARENA, {{kArena, kPage}})), -EINVAL) << "must be writable";
    EXPECT_EQ(status_of(channel(client)), -ENXIO);
    const fc_control made = call(arena(client));
    EXPECT_EQ(made.status, 0);
    EXPECT_EQ(made.arg[0], 0u);
    EXPECT_LT(status_of(arena(client)), 0) << "one arena";
    EXPECT_EQ(status_of(region(client, 4, {{kArena, kPage}})), -EINVAL);
    EXPECT_EQ(status_of(region(client, 0, {})), -EINVAL);
    // At the end of RAM, across it, across the hole, nowhere.
    EXPECT_EQ(status_of(region(client, 0, {{kRam - 1, 2}})), -EFAULT);
    EXPECT_EQ(status_of(region(client, 0, {{kRam, kHigh - kRam + 1}})), -EFAULT);
    EXPECT_EQ(status_of(region(client, 0, {{kPage, 1}, {~0ull, 2}})), -EFAULT);
    EXPECT_LT(status_of(region(client, 0, {{kPage, 0}})), 0);
    EXPECT_EQ(status_of(region(client, 0, {{0, 2 << 20}, {kHigh, 1}})), -E2BIG);
    fc_control list = region(client, 0, {{kArena, 1}});
    list.arg[0] = kRam - 8;
    EXPECT_EQ(status_of(list), -EFAULT) << "the list itself reaches over the end of RAM";
    list.arg[0] = kList, list.arg[1] = FC_MAX_SEGMENTS + 1;
    EXPECT_EQ(status_of(list), -EINVAL);

    std::vector<uint64_t> keys;
    for (int i = 0; i < 3; i++) {
        const fc_control added = call(region(client, 0, {{kRam - 1, 1}, {kHigh, kPage}}));
        ASSERT_EQ(added.status, 0);
        keys.push_back(added.arg[0]);
    }
    EXPECT_EQ(status_of(region(client, 0, {{kArena, 1}})), -ENOSPC);
    fc_control remove = request(FC_CTL_REGION_REMOVE, client);
    EXPECT_EQ(status_of(remove), -EBUSY);
    remove.arg[0] = keys[0];
    EXPECT_EQ(status_of(remove), 0);
    EXPECT_EQ(status_of(remove), -ENOENT);
    remove.arg[0] = keys[1] + (1ull << 32);
    EXPECT_EQ(status_of(remove), -ENOENT);

    fc_control ids = request(FC_CTL_EVENT_IDS, client);
    EXPECT_EQ(status_of(ids), -EINVAL) << "none asked for";
    ids.arg[0] = FC_MAX_ID_REQUEST + 1;
    EXPECT_EQ(status_of(ids), -EINVAL);
    ids.arg[0] = 1;
    const fc_control first = call(ids);
    EXPECT_EQ(first.status, 0);
    EXPECT_NE(first.arg[0], 0u);
    EXPECT_EQ(call(ids).arg[0], first.arg[0] + FC_ID_BLOCK);
    ids.arg[0] = FC_MAX_ID_REQUEST;
    EXPECT_EQ(status_of(ids), -ENOSPC);
}

TEST_F(OffloadDevice, Channels) {
    const uint32_t client = start();
    const auto changed = [&](unsigned arg, uint64_t value) {
        fc_control in = channel(client);
        in.arg[arg] = value;
        return status_of(in);
    };
    EXPECT_EQ(changed(0, kRing + 8), -EFAULT);
    EXPECT_EQ(changed(0, kRam - kPage), -EFAULT) << "ends outside RAM";
    EXPECT_EQ(changed(0, ~0ull << 12), -EFAULT);
    EXPECT_EQ(changed(1, channel(client).arg[1] - 1), -EINVAL);
    EXPECT_EQ(changed(1, ~0ull), -EFAULT);
    EXPECT_EQ(changed(2, 63 | 64ull << 32), -EINVAL);
    EXPECT_EQ(changed(2, 0), -EINVAL);
    EXPECT_EQ(changed(2, ~0ull), -EINVAL);
    EXPECT_EQ(changed(3, 0), -EINVAL) << "vector 0 is the control path's";
    EXPECT_EQ(changed(3, FC_PCI_VECTORS), -EINVAL);
    EXPECT_EQ(status_of(channel(client + 100)), -ENOENT);
    const fc_control made = open_channel(client);
    for (uint64_t id = 1; id <= 3 * kSlots; id++)
        expect_nop_works(id);
    fc_control destroy = request(FC_CTL_CHANNEL_DESTROY, client);
    destroy.channel = made.channel;
    EXPECT_EQ(status_of(destroy), 0);
    EXPECT_EQ(status_of(destroy), -ENOENT);
    for (int i = 0; i < 3; i++)
        open_channel(client);
    EXPECT_EQ(status_of(channel(client)), -EMFILE);
}

TEST_F(OffloadDevice, EveryWorkersDoorbellWakesIt) {
    use_control_page(kControl);
    EXPECT_EQ(status_of(hello()), 0);
    std::set<uint64_t> offsets;
    for (int i = 0; i < 3; i++) {
        open_channel(add_client());
        offsets.insert(doorbell_);
        std::this_thread::sleep_for(milliseconds(5));  // long enough for the worker to sleep
        expect_nop_works(1);
    }
    EXPECT_EQ(offsets, (std::set<uint64_t>{0, kPage, 2 * kPage}));
}

TEST_F(OffloadDevice, MaskedInterruptsWaitAsPendingBits) {
    const uint32_t client = start();
    const auto unmask = [&](unsigned vector, bool masked) {
        memory_write(kMsixBar, vector * 16 + 12, masked);
    };
    const auto pending = [&] { return memory_read(kMsixBar, vmm::Msix::kPendingOffset, 8); };
    const auto arm_and_nop = [&](uint64_t id) {
        fc_arm(&at<fc_ring_header>(kRing)->client_armed);
        expect_nop_works(id);
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (fc_load_relaxed(&at<fc_ring_header>(kRing)->client_armed) != 0 &&
               std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        std::this_thread::sleep_for(milliseconds(2));  // cleared first, then raised
    };
    EXPECT_EQ(pending(), 1u) << "vector 0: the answers so far";
    memory_write(kMsixBar, 16, 0xfee00000), memory_write(kMsixBar, 24, 0x41);
    open_channel(client, 1);
    config_write(kMsixControl, kEnable, 2);
    EXPECT_FALSE(interrupts_.message(1)) << "each vector is masked at first";
    arm_and_nop(1);
    EXPECT_EQ(pending(), 3u);
    unmask(1, false);
    EXPECT_EQ(interrupts_.message(1), (vmm::MsiMessage{0xfee00000, 0x41}));
    EXPECT_TRUE(interrupts_.take(1)) << "what was pending is delivered";
    EXPECT_EQ(pending(), 1u);
    arm_and_nop(2);
    EXPECT_TRUE(interrupts_.take(1));
    EXPECT_FALSE(interrupts_.take(1)) << "delivered once";
    config_write(kMsixControl, kEnable | kAllMasked, 2);
    arm_and_nop(3);
    EXPECT_FALSE(interrupts_.take(1));
    EXPECT_EQ(pending(), 3u);
    config_write(kMsixControl, kEnable, 2);
    EXPECT_TRUE(interrupts_.take(1));
    memory_write(kMsixBar, 24, 0x42);  // to another CPU or number, without a mask
    EXPECT_EQ(interrupts_.message(1)->data, 0x42u);
    unmask(0, false);
    EXPECT_TRUE(interrupts_.take(0));
    EXPECT_EQ(status_of(request(FC_CTL_CLIENT_DESTROY, client)), 0);
    EXPECT_FALSE(interrupts_.wrong());
}

TEST_F(OffloadDevice, TheGuestsExitStatus) {
    use_control_page(kControl);
    fc_control in = request(FC_CTL_VM_EXIT);
    in.arg[0] = 256;
    EXPECT_EQ(status_of(in), -EINVAL);
    EXPECT_FALSE(stop_.requested());
    in.arg[0] = 7;
    EXPECT_EQ(status_of(in), 0) << "needs no HELLO";
    EXPECT_EQ(stop_.get().reason, vmm::StopReason::kGuestExit);
    EXPECT_EQ(stop_.get().status, 7);
}

}  // namespace
}  // namespace farcall::test
