// SPDX-License-Identifier: MIT
#include "host-lib/timer_queue.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "tests/test_seed.h"

namespace farcall::test {
namespace {

/// A queue beside a map of what is in it. `ref.generation` numbers the entries.
class Model {
  public:
    uint64_t add(uint64_t when) {
        const uint64_t number = ++last_;
        const TimerQueue::Handle handle =
            queue_.add({when, 7, TimerQueue::Kind::kWaiter, {static_cast<uint32_t>(number), number}});
        entries_[number] = {when, handle};
        return number;
    }
    void remove(uint64_t number) {
        queue_.remove(entries_.at(number).handle);
        entries_.erase(number);
    }
    /// Takes out all that is due, and checks that it is exactly that, in order.
    void advance(uint64_t now) {
        uint64_t before = 0;
        TimerQueue::Entry entry;
        while (queue_.pop_due(now, &entry)) {
            const auto found = entries_.find(entry.ref.generation);
            ASSERT_NE(found, entries_.end()) << "came out twice, or after it was removed";
            ASSERT_EQ(entry.when, found->second.when);
            ASSERT_LE(entry.when, now) << "too early";
            ASSERT_GE(entry.when, before) << "out of order";
            before = entry.when;
            entries_.erase(found);
        }
        uint64_t earliest = UINT64_MAX;
        for (const auto& [number, at] : entries_)
            earliest = std::min(earliest, at.when);
        ASSERT_TRUE(entries_.empty() || earliest > now) << "left behind";
        ASSERT_LE(queue_.next(), earliest) << "would sleep too long";
        ASSERT_EQ(queue_.size(), entries_.size());
        ASSERT_EQ(queue_.empty(), entries_.empty());
    }
    uint64_t any(std::mt19937_64& random) const {
        return std::next(entries_.begin(), static_cast<std::ptrdiff_t>(random() % entries_.size()))->first;
    }
    size_t size() const { return entries_.size(); }
    const TimerQueue& queue() const { return queue_; }

  private:
    struct At {
        uint64_t when;
        TimerQueue::Handle handle;
    };
    TimerQueue queue_;
    std::map<uint64_t, At> entries_;
    uint64_t last_ = 0;
};

TEST(TimerQueue, EmptyIsNever) {
    Model model;
    EXPECT_EQ(model.queue().next(), UINT64_MAX);
    model.advance(UINT64_MAX);
}

// At its nanosecond: neither the tick's beginning nor its end.
TEST(TimerQueue, DueAtItsTime) {
    for (const uint64_t when :
         {0ull, 1ull, 1023ull, 1024ull, 65536ull, 1000000000ull, 1ull << 40, ~0ull - 1, ~0ull}) {
        Model model;
        model.add(when);
        if (when > 0) model.advance(when - 1);
        EXPECT_EQ(model.size(), 1u);
        EXPECT_EQ(model.queue().next(), when) << "to be woken up once, not level by level";
        model.advance(when);
        EXPECT_EQ(model.size(), 0u);
    }
}

TEST(TimerQueue, OverdueComesAtOnce) {
    Model model;
    model.advance(1000000);
    model.add(10);
    model.add(999999);
    model.add(1000001);
    EXPECT_EQ(model.queue().next(), 10u);
    model.advance(1000000);
    EXPECT_EQ(model.size(), 1u);
}

TEST(TimerQueue, RemovedFromWhereverItIs) {
    Model model;
    const uint64_t first = model.add(500), second = model.add(600), third = model.add(1ull << 30);
    model.add(1ull << 31);
    model.remove(first);  // of the tick that has begun
    EXPECT_EQ(model.queue().next(), 600u);
    model.remove(third);
    model.remove(second);
    EXPECT_GT(model.queue().next(), 600u);
    model.advance(1ull << 32);
    EXPECT_EQ(model.size(), 0u);
}

// A removed entry may make the next look too early, but never for ever.
TEST(TimerQueue, ALookThatWasTooEarlyGoesOn) {
    Model model;
    const uint64_t gone = model.add(5000000);
    model.add(5000100);
    model.remove(gone);
    model.advance(model.queue().next());
    EXPECT_EQ(model.queue().next(), 5000100u);
}

TEST(TimerQueue, ManyAtTheSameMoment) {
    Model model;
    for (int i = 0; i < 20000; i++)
        model.add(123456789);
    model.advance(123456788);
    EXPECT_EQ(model.size(), 20000u);
    model.advance(123456789);
    EXPECT_EQ(model.size(), 0u);
}

//
TEST(TimerQueue, AnyOrderAgainstAMap) {
    const uint64_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto distance = [&] { return random() >> (14 + random() % 50); };  // all magnitudes alike
    for (int run = 0; run < 20 && !::testing::Test::HasFailure(); run++) {
        Model model;
        uint64_t now = distance();
        for (int i = 0; i < 1500; i++) {
            const uint64_t what = random() % 8;
            if (what < 4) {
                model.add(now + distance());
            } else if (what == 4) {
                model.add(now - std::min(now, distance()));
            } else if (what == 5 && model.size() > 0) {
                model.remove(model.any(random));
            } else {
                now += random() % 2 == 0 ? distance() >> 20
                                         : model.queue().next() - std::min(now, model.queue().next());
                now = std::min(now, UINT64_MAX / 2);
                model.advance(now);
                if (::testing::Test::HasFatalFailure()) return;
            }
        }
        model.advance(UINT64_MAX);
    }
}

}  // namespace
}  // namespace farcall::test
