// SPDX-License-Identifier: MIT
// Which series of a report stand beside each other, and how its figures and axes are written.
#include "bench/html/families.h"

#include <gmock/gmock.h>

#include "bench/html/scale.h"

namespace farcall::bench::html {
namespace {

using testing::ElementsAre;

std::vector<std::string> families(const Group& group) {
    std::vector<std::string> names;
    for (const Family& family : group.families)
        names.push_back(family.name);
    return names;
}

TEST(Families, ByNumberRatioAndName) {
    FullRecord record;
    for (const char* name :
         {"ping", "other_read_8", "read_8", "read_1", "more_8", "read_fast_8", "idle_007", "4096"})
        record.series.push_back({.name = name});
    record.ratios = {
        {"other_read_8 : read_8", 1, {}, ""}, {"more_8 : read_8", 1, {}, ""}, {"ping : read_1", 1, {}, ""}};
    const std::vector<Group> groups = groups_of(record);
    ASSERT_EQ(groups.size(), 2u);
    EXPECT_FALSE(groups[0].numbered);
    EXPECT_THAT(families(groups[0]), ElementsAre("ping", "idle_007", "4096"));
    // The one that most are compared with comes first.
    EXPECT_THAT(families(groups[1]), ElementsAre("read", "other_read", "more", "read_fast"));
    ASSERT_EQ(groups[1].families[0].members.size(), 2u);
    EXPECT_EQ(groups[1].families[0].members[0].number, 1u);
    EXPECT_EQ(counted_by(groups[1]), "");
}

TEST(Families, WhatTheirNumbersCount) {
    FullRecord record;
    for (const char* name : {"nop_idle_channels_1", "nop_rung_idle_channels_1", "pread_4k_in_flight_1"})
        record.series.push_back({.name = name});
    const std::vector<Group> groups = groups_of(record);
    ASSERT_EQ(groups.size(), 2u);
    EXPECT_EQ(counted_by(groups[0]), "idle channels");
    EXPECT_EQ(counted_by(groups[1]), "");
}

TEST(Scale, ThreeDigitsAndAUnit) {
    EXPECT_EQ(time_text(0), "0 ns");
    EXPECT_EQ(time_text(0.5), "0.500 ns");
    EXPECT_EQ(time_text(12.345), "12.3 ns");
    EXPECT_EQ(time_text(999.4), "999 ns");
    EXPECT_EQ(time_text(999.6), "1.00 µs");
    EXPECT_EQ(time_text(1234567), "1.23 ms");
    EXPECT_EQ(time_text(1e9), "1.00 s");
    EXPECT_EQ(time_text(1e13), "10,000 s");
    EXPECT_EQ(rate_text(9.99e6), "9.99 M/s");
    EXPECT_EQ(rate_text(12), "12.0/s");
    EXPECT_EQ(significant(123456), "123,000");
    EXPECT_EQ(significant(1.5e9), "1.50e+09");
    EXPECT_EQ(significant(0.998), "0.998");
    EXPECT_EQ(significant(1e-12), "1.00e-12");
}

TEST(Scale, LabelsAreApartAndAtLeastTwo) {
    for (const double low : {1e-9, 0.3, 1.0, 1.01, 9.45, 97.0, 420.0, 999.0, 5e4})
        for (const double times :
             {1.0, 1.001, 1.05, 1.1, 1.2, 1.3, 2.0, 4.1, 9.9, 31.0, 170.0, 1e3, 1e6, 1e12}) {
            SCOPED_TRACE(testing::Message() << low << " times " << times);
            const LogScale scale(low, low * times);
            EXPECT_GE(scale.at(low), 0);
            EXPECT_LE(scale.at(low * times), 100);
            for (const double apart : {12, 26}) {
                const std::vector<Tick> ticks = scale.ticks(apart);
                ASSERT_GE(ticks.size(), 2u);
                for (size_t i = 1; i < ticks.size(); i++)
                    EXPECT_GE(ticks[i].at - ticks[i - 1].at, apart);
            }
        }
}

}  // namespace
}  // namespace farcall::bench::html
