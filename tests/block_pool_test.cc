// SPDX-License-Identifier: MIT
// Pools from which the host takes blocks as large as what arrives.
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "tests/socket_client.h"

namespace farcall::test {
namespace {

constexpr uint64_t kPool = 512 << 10;  // arena offset
constexpr uint32_t kPoolBytes = 256 << 10;

class BlockPoolTest : public ::testing::Test {
  protected:
    BlockPoolTest() {
        DomainConfig config;
        config.net = allow_all();
        publish_range(config.net, "127.0.0.1");
        domain_ = engine_.create_domain(config);
        client_ = std::make_unique<SocketClient>(*domain_);
    }
    int make(uint64_t smallest, uint32_t bytes, uint16_t flags = FC_BUFFERS_BLOCKS, uint32_t region = 0) {
        fc_command c = client_->with_memory(client_->command(FC_OP_BUFFERS, 0, smallest), kPool, bytes);
        c.op_flags = flags;
        c.region = region;
        return client_->run(c).result;
    }
    fc_command receive(uint32_t socket, uint32_t pool, uint32_t most = 0) {
        fc_command c = client_->recv_command(socket, 0, most, FC_MSG_POOL);
        c.offset = pool;
        return c;
    }
    int give_back(uint32_t pool, uint64_t start) { return client_->simple(FC_OP_BUFFER_RETURN, pool, start); }
    const char* pool_memory() { return reinterpret_cast<const char*>(client_->arena() + kPool); }
    /// What a receive put into its block; checks that the block is one.
    std::string text(const fc_event& event, uint32_t smallest) {
        EXPECT_EQ(event.flags & (FC_E_BUFFER | FC_E_BLOCK), FC_E_BUFFER | FC_E_BLOCK);
        const uint32_t size = fc_block_size(event.result), start = fc_block_start(event.result);
        const uint32_t bytes = fc_block_bytes(event.result);
        EXPECT_GE(size, smallest);
        EXPECT_LE(bytes, size);
        EXPECT_TRUE(size == smallest || bytes > size / 2) << bytes << " in a block of " << size;
        EXPECT_EQ(start % size, 0u);
        EXPECT_LE(start + size, kPoolBytes);
        return {pool_memory() + start, bytes};
    }

    Engine engine_{EngineConfig{.blocking_threads = 2, .spin = std::chrono::microseconds(20)}};
    std::unique_ptr<Domain> domain_;
    std::unique_ptr<SocketClient> client_;
};

TEST_F(BlockPoolTest, RefusesPoolsThatCannotBe) {
    EXPECT_EQ(make(32, 4096), -EINVAL) << "less than the least block";
    EXPECT_EQ(make(0, 4096), -EINVAL);
    EXPECT_EQ(make(100, 4000), -EINVAL) << "no power of two";
    EXPECT_EQ(make(1ull << 40, 4096), -EINVAL);
    EXPECT_EQ(make(4096, 0), -EINVAL);
    EXPECT_EQ(make(4096, 4097), -EINVAL);
    EXPECT_EQ(make(4096, 8192, 2), -EINVAL) << "an unknown flag";
    EXPECT_EQ(make(4096, 1 << 20), -EFAULT);
    EXPECT_EQ(make(4096, 4096, FC_BUFFERS_BLOCKS, 77), -EIDRM);
    const uint64_t most = FC_MAX_BLOCK_POOL_BYTES;
    const RegionConfig large{{{client_->map(2 * most), 2 * most}}, FC_REGION_WRITE, nullptr};
    const auto key = static_cast<uint32_t>(
        TestClient::call([&](ControlDone done) { domain_->add_region(client_->id(), large, done); }).value);
    fc_command c =
        client_->with_memory(client_->command(FC_OP_BUFFERS, 0, 4096), 0, 2 * FC_MAX_BLOCK_POOL_BYTES);
    c.op_flags = FC_BUFFERS_BLOCKS;
    c.region = key;
    EXPECT_EQ(client_->run(c).result, -EINVAL) << "larger than an event can say";
    c.length = FC_MAX_BLOCK_POOL_BYTES;
    EXPECT_GT(client_->run(c).result, 0);
    c.offset = 512;
    EXPECT_EQ(client_->run(c).result, -EINVAL) << "too many blocks";
}

// Every client may make as many pools as it has handles; their tables come out of the domain's budget.
TEST_F(BlockPoolTest, TablesAreBounded) {
    DomainConfig config;
    config.limits.max_graph_bytes = 2 << 20;
    const auto domain = engine_.create_domain(config);
    std::vector<uint32_t> pools;
    {
        SocketClient client(*domain);
        fc_command c = client.with_memory(client.command(FC_OP_BUFFERS, 0, 64), kPool, kPoolBytes);
        c.op_flags = FC_BUFFERS_BLOCKS;
        int last = 0;
        while (pools.size() < 4096 && (last = client.run(c).result) > 0)
            pools.push_back(static_cast<uint32_t>(last));
        EXPECT_EQ(last, -ENOSPC);
        EXPECT_GT(pools.size(), 50u);
        EXPECT_EQ(client.simple(FC_OP_CLOSE, pools[0]), 0);
        EXPECT_GT(client.run(c).result, 0) << "what a pool had comes back";
    }
    SocketClient client(*domain);
    fc_command c = client.with_memory(client.command(FC_OP_BUFFERS, 0, 64), kPool, kPoolBytes);
    c.op_flags = FC_BUFFERS_BLOCKS;
    EXPECT_GT(client.run(c).result, 0) << "also when its client went";
}

TEST_F(BlockPoolTest, BlocksFitWhatCame) {
    const uint32_t pool = client_->must(make(64, kPoolBytes));
    uint32_t a, b;
    client_->connected_pair(&a, &b);
    for (const uint32_t bytes : {1u, 64u, 65u, 1000u, 4096u, 5000u, 65536u}) {
        const std::string sent(bytes, static_cast<char>('a' + bytes % 26));
        ASSERT_EQ(client_->send(a, sent), static_cast<int>(bytes));
        std::string got;
        while (got.size() < bytes) {
            const fc_event event = client_->run(receive(b, pool));
            ASSERT_GT(event.result, 0) << strerror(-event.result);
            got += text(event, 64);
            const uint32_t start = fc_block_start(event.result);
            EXPECT_EQ(give_back(pool, start + 64), -EALREADY) << "inside of the block, or a free one";
            EXPECT_EQ(give_back(pool, start + 1), -EINVAL);
            EXPECT_EQ(give_back(pool, start), 0);
            EXPECT_EQ(give_back(pool, start), -EALREADY);
        }
        EXPECT_EQ(got, sent);
    }
    EXPECT_EQ(give_back(pool, kPoolBytes), -EINVAL);
    EXPECT_EQ(give_back(pool, ~0ull - 63), -EINVAL);
    EXPECT_EQ(give_back(a, 0), -EBADF);
    // A variable gets the bytes alone.
    ASSERT_EQ(client_->send(a, "seven b"), 7);
    fc_command c = receive(b, pool);
    c.flags |= FC_F_RESULT_STORE;
    c.result_var = 8;
    EXPECT_EQ(fc_block_bytes(client_->run(c).result), 7u);
    EXPECT_EQ(client_->variable(8), 7u);
}

// A stream makes do with what is left; a datagram would lose its end.
TEST_F(BlockPoolTest, WhenThereIsLittleLeft) {
    const uint32_t pool = client_->must(make(64, 1024));
    uint32_t a, b;
    client_->connected_pair(&a, &b);
    ASSERT_EQ(client_->send(a, std::string(2000, 'x')), 2000);
    const auto take = [&](uint32_t most) {
        fc_event event;
        do
            event = client_->run(receive(b, pool, most));
        while (event.result > 0 && fc_block_bytes(event.result) == 0);
        return event.result;
    };
    EXPECT_EQ(fc_block_bytes(take(512)), 512u);
    EXPECT_EQ(fc_block_bytes(take(256)), 256u);
    EXPECT_EQ(fc_block_bytes(take(1000)), 256u) << "all that there is";
    EXPECT_EQ(take(64), -ENOBUFS);

    const uint32_t ours = client_->must(client_->socket(AF_INET, SOCK_DGRAM));
    ASSERT_EQ(client_->bind(ours, address_of("127.0.0.1", 0)), 0);
    const uint32_t peer = client_->must(client_->socket(AF_INET, SOCK_DGRAM));
    const uint32_t small = client_->must(make(64, 1024));
    const Bytes to = address_of("127.0.0.1", client_->bound_port(ours));
    ASSERT_EQ(client_->send_to(peer, to, std::string(300, 'd')), 300);
    fc_event event = client_->run(receive(ours, small, 512));
    EXPECT_EQ(text(event, 64), std::string(300, 'd'));
    ASSERT_EQ(client_->send_to(peer, to, std::string(600, 'e')), 600);
    EXPECT_EQ(client_->run(receive(ours, small, 1024)).result, -ENOBUFS) << "half of it is taken";
    EXPECT_EQ(give_back(small, fc_block_start(event.result)), 0);
    event = client_->run(receive(ours, small, 1024));
    EXPECT_EQ(text(event, 64), std::string(600, 'e'));
}

// Pieces of all sizes, kept for a while and given back in any order: every byte arrives, in order, and the
// pool is whole in the end.
TEST_F(BlockPoolTest, StreamThroughAPoolThatIsHeldForAWhile) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    const auto upto = [&](uint32_t most) { return std::uniform_int_distribution<uint32_t>(0, most)(random); };
    const uint32_t pool = client_->must(make(64, kPoolBytes));
    uint32_t a, b;
    client_->connected_pair(&a, &b);
    fc_command armed = receive(b, pool);
    armed.flags = FC_F_MULTISHOT;
    client_->post(armed);
    struct Held {
        uint32_t start;
        std::string text;
    };
    std::vector<Held> held;
    std::string expected, got;
    const auto release = [&](size_t which) {
        const Held& block = held[which];
        ASSERT_EQ(block.text, std::string(pool_memory() + block.start, block.text.size())) << "overwritten";
        client_->post([&] {
            fc_command c = client_->command(FC_OP_BUFFER_RETURN, pool, block.start);
            c.flags = FC_F_QUIET;
            return c;
        }());
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    };
    uint32_t returns = 0;
    for (int i = 0; i < 2000; i++) {
        const std::string piece(1 + upto(upto(9) == 0 ? 9000 : 200), static_cast<char>('a' + upto(25)));
        memcpy(client_->arena() + SocketClient::kData, piece.data(), piece.size());
        const fc_command send =
            client_->send_command(a, SocketClient::kData, static_cast<uint32_t>(piece.size()));
        client_->post(send);
        expected += piece;
        bool sent = false;
        while (!sent || got.size() < expected.size()) {
            const fc_event event = client_->wait().event;
            if (event.id == send.id) {
                ASSERT_EQ(event.result, static_cast<int>(piece.size()));
                sent = true;
            } else if (event.id == armed.id) {
                ASSERT_TRUE(event.flags & FC_E_MORE) << event.result;
                held.push_back({fc_block_start(event.result), text(event, 64)});
                got += held.back().text;
            } else {
                ASSERT_EQ(event.result, 0);
                returns--;
            }
        }
        while (held.size() > 12 || (!held.empty() && upto(3) == 0)) {
            release(upto(static_cast<uint32_t>(held.size()) - 1));
            returns++;
            if (HasFatalFailure()) return;
        }
    }
    EXPECT_EQ(got, expected);
    for (; !held.empty(); returns++)
        release(0);
    for (; returns > 0; returns--)
        EXPECT_EQ(client_->wait().event.result, 0);
    const fc_command cancel = client_->command(FC_OP_CLOSE, b);
    client_->post(cancel);
    for (int events = 0; events < 2; events++)
        client_->wait();
    // Whole again: one block of all of it.
    uint32_t c, d;
    client_->connected_pair(&c, &d);
    ASSERT_EQ(client_->send(c, std::string(100, 'z')), 100);
    const fc_command all = receive(d, pool, kPoolBytes);
    EXPECT_EQ(fc_block_bytes(client_->run(all).result), 100u);
}

}  // namespace
}  // namespace farcall::test
