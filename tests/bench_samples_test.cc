// SPDX-License-Identifier: MIT
// Figures that scripts have measured: what becomes of them, and of lines that are none.
#include <gmock/gmock.h>

#include <sstream>

#include "bench/full_record.h"
#include "bench/record.h"
#include "bench/sample_lines.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Report report_of(const std::string& lines) {
    Report report{.name = "test", .results = Results(1), .machine = {}, .cores = {}};
    std::istringstream in(lines);
    add_sample_lines(in, report);
    report.results.finish();
    return report;
}

std::string refusal(const std::string& lines) {
    try {
        report_of(lines);
    } catch (const Error& error) {
        return error.what();
    }
    return "taken";
}

constexpr const char* kSeries = R"({"series": "a_1", "ns": [10, 20.4, 30]})"
                                "\n";
constexpr const char* kEnd = R"({"end": true})"
                             "\n";

TEST(SampleLines, BecomeARecordThatCanBeRead) {
    const Report report = report_of(std::string(kSeries) + R"({"series": "b_1", "ns": [40]}
{"series": "a_1", "ns": [30, 30]}
{"series": "b_1", "ns": [30]}
{"ratio": ["b_1", "a_1"], "expected": "2"}
{"value": "share of b", "rounds": [0.25, 0.75]}
{"counts": "a_1", "per_operation": {"exits": 0}}
{"fact": "guest kernel", "is": "6.12"}
{"fact": "guests", "is": 2}
{"skipped": "c", "reason": "it was not there"}
{"warning": "Somebody else was here."}
)" + kEnd + "what comes after the end is not looked at\n");
    EXPECT_EQ(report.rounds, 2u);
    const FullRecord record = parse_full_record(record_text(report), "test");
    ASSERT_EQ(record.series.size(), 2u);
    EXPECT_THAT(record.series[0].rounds, ElementsAre(20, 30));
    EXPECT_EQ(record.series[0].p50_ns, 30);
    ASSERT_EQ(record.ratios.size(), 2u);
    EXPECT_EQ(record.ratios[0].name, "b_1 : a_1");
    EXPECT_THAT(record.ratios[0].rounds, ElementsAre(2, 1));
    EXPECT_EQ(record.ratios[0].aim, "2");
    EXPECT_EQ(record.ratios[1].value, 0.5);
    ASSERT_EQ(record.splits.size(), 1u);
    EXPECT_EQ(record.splits[0].per_operation.size(), 1u);
    EXPECT_THAT(record.machine, testing::Contains(testing::Pair("guests", "2")));
    EXPECT_THAT(record.warnings, ElementsAre("Somebody else was here."));
    ASSERT_EQ(record.skipped.size(), 1u);
}

TEST(SampleLines, WhatNoSampleCanHold) {
    const Report report = report_of(R"({"series": "long", "ns": [0, 1e13]}
)" + std::string(kEnd));
    EXPECT_EQ(report.results.series()[0].samples, (std::vector<uint32_t>{1, UINT32_MAX}));
    ASSERT_EQ(report.warnings.size(), 1u);
    EXPECT_THAT(report.warnings[0], HasSubstr("1 samples were longer"));
}

TEST(SampleLines, WhatIsRefused) {
    const struct {
        const char* line;
        const char* why;
    } cases[] = {
        {"", "line 2"},
        {"{", "line 2"},
        {"[]", "line 2"},
        {"{}", "line 2"},
        {R"({"end": 1})", "line 2"},
        {R"({"series": "", "ns": [1]})", "an empty name"},
        {R"({"series": "a\u0007", "ns": [1]})", "control character"},
        {R"({"series": "a", "ns": []})", "without samples"},
        {R"({"series": "a", "ns": [-1]})", "a figure of -1"},
        {R"({"series": "a", "ns": [1e300]})", "a figure of 1e+300"},
        {R"({"series": "a", "ns": ["1"]})", "line 2"},
        {R"({"series": "a", "ns": {"1": 1}})", "samples is no array"},
        {R"({"series": "a"})", "line 2"},
        {R"({"ratio": ["a_1", "nobody"]})", "a ratio of 'nobody'"},
        {R"({"ratio": ["a_1"]})", "line 2"},
        {R"({"value": "a", "rounds": []})", "no rounds"},
        {R"({"value": "a", "rounds": [0]})", "a figure of 0"},
        {R"({"counts": "a_1", "per_operation": {}})", "has no counts"},
        {R"({"counts": "a_1", "per_operation": {"y": -1}})", "a figure of -1"},
        {R"({"fact": "a", "is": []})", "neither text nor a number"},
        {R"({"warning": 1})", "line 2"},
        {"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "in each other"},
    };
    for (const auto& one : cases)
        EXPECT_THAT(refusal(std::string(kSeries) + one.line + "\n" + kEnd), HasSubstr(one.why)) << one.line;
    EXPECT_EQ(refusal(kSeries), "the script's figures are not complete");
    EXPECT_THAT(refusal(kEnd), HasSubstr("no series"));
    EXPECT_THAT(refusal(std::string(2 << 20, ' ') + "\n" + kEnd), HasSubstr("too long"));
}

TEST(SampleLines, NoMoreThanARecordHas) {
    std::string many;
    for (int i = 0; i <= 1000; i++)
        many += R"({"series": "s)" + std::to_string(i) + R"(", "ns": [1]})" + "\n";
    EXPECT_THAT(refusal(many + kEnd), HasSubstr("line 1001 of the script's figures: too many series"));
    std::string facts = kSeries;
    for (int i = 0; i <= 50; i++)
        facts += R"({"fact": "f", "is": 1})"
                 "\n";
    EXPECT_THAT(refusal(facts + kEnd), HasSubstr("too many"));
}

}  // namespace
}  // namespace farcall::bench
