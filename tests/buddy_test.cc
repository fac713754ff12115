// SPDX-License-Identifier: MIT
#include <farcall/buddy.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "tests/test_seed.h"

namespace farcall::test {
namespace {

/// An allocator with its state, and what it ought to have handed out.
class Model {
  public:
    explicit Model(uint32_t units) : state_(fc_buddy_state_bytes(units), 0xee) {
        fc_buddy_init(&buddy_, state_.data(), units);
    }
    /// FC_BUDDY_NONE when there was no room; everything else is checked.
    uint32_t alloc(uint32_t order) {
        const uint32_t room = fc_buddy_room(&buddy_);
        const uint32_t unit = fc_buddy_alloc(&buddy_, order);
        EXPECT_EQ(unit == FC_BUDDY_NONE, room < order + 1);
        if (unit == FC_BUDDY_NONE) return unit;
        const uint64_t size = 1ull << order;
        EXPECT_EQ(unit % size, 0u);
        EXPECT_LE(unit + size, buddy_.units);
        const auto after = blocks_.lower_bound(unit);
        EXPECT_TRUE(after == blocks_.end() || unit + size <= after->first)
            << unit << " overlaps what follows";
        EXPECT_TRUE(after == blocks_.begin() ||
                    std::prev(after)->first + (1ull << std::prev(after)->second) <= unit)
            << unit << " overlaps what is before";
        blocks_[unit] = order;
        return unit;
    }
    bool free(uint32_t unit) {
        const bool done = fc_buddy_free(&buddy_, unit) != 0;
        EXPECT_EQ(done, blocks_.erase(unit) == 1) << unit;
        return done;
    }
    bool trim(uint32_t unit, uint32_t order) {
        const bool done = fc_buddy_trim(&buddy_, unit, order) != 0;
        const auto found = blocks_.find(unit);
        EXPECT_EQ(done, found != blocks_.end() && order <= found->second);
        if (done) found->second = order;
        return done;
    }
    uint32_t room() const { return fc_buddy_room(&buddy_); }
    const std::map<uint32_t, uint32_t>& blocks() const { return blocks_; }

  private:
    std::vector<uint8_t> state_;
    fc_buddy buddy_{};
    std::map<uint32_t, uint32_t> blocks_;  // first unit, order
};

TEST(Buddy, HandsOutAllThereIs) {
    for (const uint32_t units : {1u, 2u, 3u, 64u, 100u, 1000u, 4096u}) {
        Model model(units);
        uint32_t count = 0;
        while (model.alloc(0) != FC_BUDDY_NONE)
            count++;
        EXPECT_EQ(count, units);
        EXPECT_EQ(model.room(), 0u);
        EXPECT_EQ(model.alloc(0), FC_BUDDY_NONE);
        while (!model.blocks().empty())
            EXPECT_TRUE(model.free(model.blocks().begin()->first));
        // Whole again: the largest power of two that fits.
        EXPECT_EQ(1u << (model.room() - 1), 1u << (31 - __builtin_clz(units)));
    }
}

TEST(Buddy, WorstCaseIsEverySecondUnit) {
    Model model(1024);
    for (uint32_t i = 0; i < 1024; i++)
        model.alloc(0);
    for (uint32_t i = 0; i < 1024; i += 2)
        EXPECT_TRUE(model.free(i));
    EXPECT_EQ(model.room(), 1u) << "half is free, and no two units together";
    EXPECT_EQ(model.alloc(1), FC_BUDDY_NONE);
    for (uint32_t i = 1; i < 1024; i += 2)
        EXPECT_TRUE(model.free(i));
    EXPECT_EQ(model.alloc(10), 0u) << "all of it, in one block";
}

TEST(Buddy, RefusesWhatIsNoBlock) {
    Model model(100);
    const uint32_t unit = model.alloc(3);
    EXPECT_FALSE(model.free(unit + 1)) << "inside of a block";
    EXPECT_FALSE(model.free(unit + 4));
    EXPECT_FALSE(model.free(unit + 8)) << "free";
    EXPECT_FALSE(model.free(100)) << "behind the end";
    EXPECT_FALSE(model.free(127));
    EXPECT_FALSE(model.free(FC_BUDDY_NONE));
    EXPECT_FALSE(model.trim(unit, 4)) << "larger than it is";
    EXPECT_FALSE(model.trim(unit + 1, 0));
    EXPECT_TRUE(model.free(unit));
    EXPECT_FALSE(model.free(unit)) << "twice";
    EXPECT_EQ(model.alloc(7), FC_BUDDY_NONE) << "128 of 100";
    EXPECT_EQ(model.alloc(31), FC_BUDDY_NONE);
}

TEST(Buddy, TrimGivesTheRestBack) {
    Model model(64);
    const uint32_t unit = model.alloc(6);
    EXPECT_EQ(model.room(), 0u);
    EXPECT_TRUE(model.trim(unit, 1));
    EXPECT_EQ(model.room(), 6u) << "the other half";
    EXPECT_TRUE(model.trim(unit, 1));
    EXPECT_NE(model.alloc(5), FC_BUDDY_NONE);
    EXPECT_NE(model.alloc(4), FC_BUDDY_NONE);
    EXPECT_TRUE(model.free(unit));
    EXPECT_EQ(model.alloc(4), unit);
}

// Small blocks fill the holes that there are, so that a large one still finds its place.
TEST(Buddy, TakesTheTightestPlace) {
    Model model(64);
    const uint32_t first = model.alloc(4), second = model.alloc(5);
    EXPECT_NE(first, FC_BUDDY_NONE);
    EXPECT_NE(second, FC_BUDDY_NONE);
    EXPECT_TRUE(model.free(second));
    for (int i = 0; i < 16; i++)
        model.alloc(0);
    EXPECT_NE(model.alloc(5), FC_BUDDY_NONE);
}

// Days of work: blocks of all sizes come, shrink and go in any order, and in the end memory is as whole as it
// was.
TEST(Buddy, DaysOfWork) {
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    const auto upto = [&](uint32_t most) { return std::uniform_int_distribution<uint32_t>(0, most)(random); };
    for (const uint32_t units : {256u, 777u, 4096u}) {
        Model model(units);
        std::vector<uint32_t> held;
        for (int i = 0; i < 100000 && !HasFailure(); i++) {
            const uint32_t what = upto(9);
            if (what < 5) {
                const uint32_t unit = model.alloc(std::min(upto(9), upto(9)));
                if (unit != FC_BUDDY_NONE) held.push_back(unit);
            } else if (what < 9 && !held.empty()) {
                std::swap(held[upto(static_cast<uint32_t>(held.size()) - 1)], held.back());
                EXPECT_TRUE(model.free(held.back()));
                held.pop_back();
            } else if (what == 9) {
                model.trim(upto(units), upto(5));
                model.free(upto(2 * units) | 1u << 31);
            }
        }
        for (const uint32_t unit : held)
            EXPECT_TRUE(model.free(unit));
        EXPECT_EQ(1u << (model.room() - 1), 1u << (31 - __builtin_clz(units)));
    }
}

}  // namespace
}  // namespace farcall::test
