// SPDX-License-Identifier: MIT
// Multishot commands through libfarcall: shots do not end a command, and none is lost when the event ring is
// full and both sides sleep.
#include <set>

#include "tests/local_net_rig.h"

namespace farcall::test {
namespace {

class LocalMultishot : public ::testing::Test {
  protected:
    LocalNetHost host_;
};

TEST_F(LocalMultishot, AcceptsMoreThanTheRingHolds) {
    client::Client owner(host_.where().c_str());
    client::Channel channel(owner, 8, 8);
    const client::Buffer memory(owner, 4096);
    fc_command command;
    farcall_prep_socket(&command, AF_INET, SOCK_STREAM, 0);
    const int made = run(channel, command);
    ASSERT_GT(made, 0);
    const auto listens = static_cast<uint32_t>(made);
    const Bytes any = address_of("127.0.0.1", 0);
    memcpy(memory.data(), any.data(), any.size());
    farcall_prep_bind(&command, listens, memory.region(), memory.offset(), static_cast<uint32_t>(any.size()),
                      0);
    ASSERT_EQ(run(channel, command), 0);
    farcall_prep_listen(&command, listens, 128);
    ASSERT_EQ(run(channel, command), 0);
    farcall_prep_getsockname(&command, listens, memory.region(), memory.offset(), 128);
    ASSERT_EQ(run(channel, command), 16);
    const Bytes to = address_of("127.0.0.1", port_of(reinterpret_cast<const std::byte*>(memory.data())));

    const uint64_t id = farcall_event_id(channel.get());
    farcall_prep_accept(&command, listens);
    farcall_add_flags(&command, FC_F_MULTISHOT);
    farcall_set_id(&command, id);
    ASSERT_EQ(farcall_post(channel.get(), &command), 0);
    EXPECT_EQ(farcall_in_flight(channel.get()), 1u);
    constexpr size_t kConnections = 60;
    std::vector<UniqueFd> peers;
    for (size_t i = 0; i < kConnections; i++) {
        peers.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(connect(peers.back().get(), reinterpret_cast<const sockaddr*>(to.data()), 16), 0);
    }
    std::this_thread::sleep_for(20ms);  // the worker has filled the ring and sleeps
    std::set<int> handles;
    while (handles.size() < kConnections) {
        fc_event event{};
        const int count = farcall_poll(channel.get(), &event, 1);
        ASSERT_GE(count, 0);
        if (count == 0) {
            ASSERT_EQ(farcall_wait(channel.get(), 10'000'000'000), 0) << "after " << handles.size();
            continue;
        }
        ASSERT_EQ(event.id, id);
        ASSERT_TRUE(event.flags & FC_E_MORE) << event.result;
        EXPECT_TRUE(handles.insert(event.result).second);
        EXPECT_EQ(farcall_in_flight(channel.get()), 1u) << "a shot ends nothing";
    }
    // The channel still takes as many commands as it has slots for, and the last event ends the accept.
    EXPECT_EQ(farcall_space(channel.get()), 7u);
    farcall_prep_cancel(&command, id);
    ASSERT_EQ(farcall_post(channel.get(), &command), 0);
    std::map<uint64_t, fc_event> events;
    while (events.size() < 2) {
        fc_event event{};
        if (farcall_poll(channel.get(), &event, 1) == 1) {
            events[event.id] = event;
        } else {
            ASSERT_EQ(farcall_wait(channel.get(), 10'000'000'000), 0);
        }
    }
    EXPECT_EQ(events[id].result, -ECANCELED);
    EXPECT_EQ(events[id].flags & FC_E_MORE, 0);
    EXPECT_EQ(farcall_in_flight(channel.get()), 0u);
}

}  // namespace
}  // namespace farcall::test
