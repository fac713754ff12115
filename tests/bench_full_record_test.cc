// SPDX-License-Identifier: MIT
// Records of any origin, read as a whole; and as comma-separated values.
#include "bench/full_record.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/csv.h"
#include "bench/json_text.h"
#include "bench/record.h"
#include "tests/bench_example.h"
#include "tests/error_sentence.h"
#include "tests/test_client.h"

namespace farcall::bench {
namespace {

using test::kHostile;
using test::sentence;
using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::ordered_json;

Json example() {
    return Json::parse(record_text(test::Example().report()));
}

/// What is said of the example after `spoil` was at it.
std::string refused(const std::function<void(Json&)>& spoil) {
    Json json = example();
    spoil(json);
    return sentence([&] { parse_full_record(json.dump(), "FILE"); });
}

TEST(FullRecord, HasAllThatWasWritten) {
    const FullRecord record = parse_full_record(record_text(test::Example().report()), "FILE");
    EXPECT_EQ(record.bench, "example");
    EXPECT_EQ(record.warnings.at(1), kHostile);
    EXPECT_EQ(record.skipped.at(1).reason, kHostile);
    EXPECT_EQ(record.splits.at(0).parts.at(1).name, "picked up");
    EXPECT_EQ(record.splits.at(0).per_operation.at(0).first, "exits");
    EXPECT_EQ(record.ratios.at(0).aim, ">= 1.1");
    EXPECT_EQ(record.ratios.at(0).rounds.size(), 8u);
    EXPECT_TRUE(record.ratios.back().rounds.empty());
    const Series& same = record.series.at(0);
    EXPECT_EQ(same.name, "always_the_same");
    EXPECT_EQ(same.quantiles_ns[99], 250);
    EXPECT_EQ(same.ops_per_s, 4e6);
    EXPECT_EQ(same.rounds.size(), 8u);
}

TEST(FullRecord, BrokenOnesAreRefusedByName) {
    const auto with = [](const char* member, const Json& value) {
        return refused([&](Json& json) { json["results"][0][member] = value; });
    };
    EXPECT_THAT(refused([](Json& json) { json["schema"] = 2; }),
                StartsWith("FILE: not a record of schema 3"));
    for (const char* member : {"bench", "version", "machine", "results", "ratios", "ratio_rounds", "splits",
                               "warnings", "skipped"})
        EXPECT_THAT(refused([&](Json& json) { json.erase(member); }), HasSubstr(member));
    for (const char* member :
         {"name", "rounds_ns", "quantiles_ns", "percentiles_ns", "in_flight", "ops_per_s"})
        EXPECT_THAT(refused([&](Json& json) { json["results"][0].erase(member); }), HasSubstr(member));
    EXPECT_THAT(with("name", ""), HasSubstr("an empty name"));
    EXPECT_THAT(with("name", "two_nanoseconds"), HasSubstr("'two_nanoseconds' is there twice"));
    EXPECT_THAT(with("name", std::string(161, 'x')), HasSubstr("a name of more than 160 bytes"));
    EXPECT_THAT(with("name", "\x1b[2J"), HasSubstr("a name with a control character"));
    EXPECT_THAT(with("rounds_ns", Json::array()), HasSubstr("'always_the_same' has no rounds"));
    EXPECT_THAT(with("rounds_ns", {0}), HasSubstr("'always_the_same' has a figure of 0"));
    EXPECT_THAT(with("rounds_ns", {1e300}), HasSubstr("'always_the_same' has a figure of 1e+300"));
    EXPECT_THAT(with("rounds_ns", 7), HasSubstr("rounds is no array"));
    EXPECT_THAT(with("in_flight", -1), HasSubstr("a figure of -1"));
    EXPECT_THAT(with("ops_per_s", nullptr), HasSubstr("FILE is not the record of a bench"));
    EXPECT_THAT(with("quantiles_ns", {1, 2}), HasSubstr("'always_the_same' has 2 quantiles_ns, not 101"));
    EXPECT_THAT(refused([](Json& json) { json["results"][0]["quantiles_ns"][50] = 1; }),
                HasSubstr("decrease"));
    EXPECT_THAT(refused([](Json& json) {
                    json["splits"][0]["parts"] = Json::array();
                    json["splits"][0]["per_operation"] = Json::object();
                }),
                HasSubstr("neither parts nor counts"));
    EXPECT_THAT(refused([](Json& json) { json["machine"]["cpu"] = Json::array(); }),
                HasSubstr("neither text nor"));
    EXPECT_THAT(refused([](Json& json) { json["warnings"] = "x"; }), HasSubstr("warnings is no array"));
    EXPECT_THAT(refused([](Json& json) { json["warnings"][0] = std::string(2001, 'x'); }),
                HasSubstr("2000 bytes"));
    EXPECT_THAT(refused([](Json& json) { json["warnings"] = Json(1001, "x"); }),
                HasSubstr("more than 1000 warnings"));
}

class Files : public testing::Test {
  protected:
    std::string refused(const std::string& text) {
        const std::string path = dir_.path() / "record";
        std::ofstream(path) << text;
        const std::string why = sentence([&] { read_full_record(path); });
        EXPECT_THAT(why, HasSubstr(path));
        // Comparing takes the same files.
        EXPECT_THAT(sentence([&] { read_record(path); }), HasSubstr(path));
        return why;
    }
    test::TempDir dir_;
};

TEST_F(Files, HugeDeepAndWideOnesAreRefused) {
    EXPECT_THAT(refused(std::string(kLargestText + 1, ' ')), HasSubstr("larger than 8 MiB"));
    EXPECT_THAT(refused(std::string(1'000'000, '[')),
                HasSubstr("more than 8 objects and arrays in each other"));
    std::string wide = "{\"schema\":3";
    for (int i = 0; i < 1001; i++)
        wide += ",\"" + std::to_string(i) + "\":0";
    EXPECT_THAT(refused(wide + "}"), HasSubstr("an object with more than 1000 members"));
    EXPECT_THAT(refused(""), HasSubstr("is not the record of a bench"));
    EXPECT_THAT(refused("{\"schema\":3,\"bench\":\"\xff\"}"), HasSubstr("is not the record of a bench"));
    EXPECT_THAT(sentence([] { read_full_record("/nonexistent"); }), HasSubstr("/nonexistent"));
    EXPECT_THAT(sentence([] { read_full_record("/dev/zero"); }), HasSubstr("/dev/zero is larger than"));
}

TEST(Csv, FieldsByTheStandardAndWithoutFormulas) {
    EXPECT_EQ(csv_field("ring_nop"), "ring_nop");
    EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
    EXPECT_EQ(csv_field("say \"x\""), "\"say \"\"x\"\"\"");
    EXPECT_EQ(csv_field("a\nb"), "\"a\nb\"");
    EXPECT_EQ(csv_field("a-b=c"), "a-b=c");
    EXPECT_EQ(csv_field("=cmd|'/c calc'!A1"), "\"'=cmd|'/c calc'!A1\"");
    EXPECT_EQ(csv_field("+1"), "\"'+1\"");
    EXPECT_EQ(csv_field("-1"), "\"'-1\"");
    EXPECT_EQ(csv_field("@SUM(A1)"), "\"'@SUM(A1)\"");
    EXPECT_EQ(csv_field("\t=1"), "\"'\t=1\"");
    EXPECT_EQ(csv_field(" =1"), "\"' =1\"");
    EXPECT_EQ(csv_field(""), "");
}

TEST(Csv, ARowForEachSeries) {
    FullRecord record{.path = "r.json", .bench = "bare", .version = "1"};
    Series series{.name = "nop", .in_flight = 8, .rounds = {10, 11, 12, 13, 14, 15}};
    series.percentiles_ns = {1, 2, 3, 4.5, 5, 6, 7, 8, 1e9};
    series.ops_per_s = 2e8;
    record.series = {series, series};
    record.series[1].name = "=few";
    record.series[1].rounds = {10, 11};
    std::istringstream lines(csv_of({record, record}));
    std::vector<std::string> all;
    for (std::string line; std::getline(lines, line);)
        all.push_back(line);
    ASSERT_EQ(all.size(), 5u);
    EXPECT_EQ(all[0],
              "bench,name,in_flight,typical_ns,low_ns,high_ns,p1_ns,p10_ns,p25_ns,p50_ns,p75_ns,p90_ns,p99_"
              "ns,p99.9_ns,"
              "max_ns,ops_per_s,record\r");
    EXPECT_EQ(all[1], "bare,nop,8,12.5,10,15,1,2,3,4.5,5,6,7,8,1000000000,200000000,r.json\r");
    EXPECT_EQ(all[2], "bare,\"'=few\",8,10.5,,,1,2,3,4.5,5,6,7,8,1000000000,200000000,r.json\r");
    EXPECT_EQ(all[3], all[1]);
}

}  // namespace
}  // namespace farcall::bench
