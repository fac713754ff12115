// SPDX-License-Identifier: MIT
// The report as a page: what is on it, and that nothing in a record becomes anything but text. How it looks
// is measured in a browser (bench_browser.sh).
#include "bench/html/report_page.h"

#include <gmock/gmock.h>

#include <set>

#include "bench/html/families.h"
#include "bench/html/markup.h"
#include "bench/record.h"
#include "tests/bench_example.h"
#include "tests/xml_tree.h"

namespace farcall::bench {
namespace {

using test::kHostile;
using test::XmlNode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

FullRecord example() {
    return parse_full_record(record_text(test::Example().report()), "example");
}

/// A record of these series, each with the same percentiles.
FullRecord record_of(const std::vector<std::string>& names) {
    FullRecord record{.path = "", .bench = "b", .version = "1"};
    for (const std::string& name : names) {
        Series series{.name = name, .rounds = {100, 100, 100, 100, 100, 100}};
        series.percentiles_ns = {50, 60, 80, 100, 150, 180, 200, 300, 400};
        for (size_t i = 0; i < kQuantiles; i++)
            series.quantiles_ns[i] = 50 + 1.5 * static_cast<double>(i);
        series.ops_per_s = 1e7;
        record.series.push_back(series);
    }
    return record;
}

std::vector<std::string> texts(const std::vector<const XmlNode*>& nodes) {
    std::vector<std::string> all;
    all.reserve(nodes.size());
    for (const XmlNode* node : nodes)
        all.push_back(node->text);
    return all;
}

double share(const XmlNode& node, const char* attribute) {
    EXPECT_THAT(node.attribute(attribute), testing::EndsWith("%"));
    return std::stod(node.attribute(attribute));
}

/// As shown: without what would turn the direction of the text.
std::string hostile_text() {
    std::string text = kHostile;
    return text.replace(text.find("\xe2\x80\xae"), 3, "\xef\xbf\xbd");
}

TEST(Markup, EverythingIsEscapedInTextAndAttributes) {
    EXPECT_EQ(html::escaped("<a b='c' d=\"e\">&amp;</a>"),
              "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;amp;&lt;/a&gt;");
    EXPECT_EQ(html::escaped("µ\tx\n"), "µ\tx\n");
    // What XML does not allow, and what would turn the text beside it.
    for (const char* refused : {"\x01", "\x1b", "\x7f", "\xe2\x80\xae", "\xe2\x81\xa6", "\xef\xbf\xbf"})
        EXPECT_EQ(html::escaped(std::string("a") + refused + "b"),
                  "a\xef\xbf\xbd"
                  "b");
    html::Markup out;
    out.empty("meta", {{"content", "\"/><script>"}});
    EXPECT_EQ(std::move(out).take(), "<meta content=\"&quot;/&gt;&lt;script&gt;\"/>");
}

TEST(ReportPage, NothingInARecordBecomesMarkup) {
    FullRecord record = example();
    record.path = record.version = record.bench = kHostile;
    const XmlNode page = test::parse_xml(report_page({record}));
    std::set<std::string> tags, attributes;
    size_t shown = 0;
    page.each([&](const XmlNode& node) {
        tags.insert(node.name);
        for (const auto& [name, value] : node.attributes) {
            attributes.insert(name);
            if (name == "href") {
                EXPECT_THAT(value, testing::MatchesRegex("#record-0-[0-9]+"));
            }
        }
        if (node.children.empty() && node.text.find(hostile_text()) != std::string::npos) shown++;
    });
    const std::set<std::string> harmless{
        "a",          "body",   "code",     "dd",   "desc",   "details", "div",     "dl",   "dt",
        "figcaption", "figure", "g",        "h1",   "h2",     "h3",      "h4",      "head", "html",
        "li",         "line",   "main",     "meta", "nav",    "ol",      "p",       "path", "rect",
        "section",    "small",  "polyline", "span", "strong", "style",   "summary", "svg",  "table",
        "tbody",      "td",     "text",     "th",   "thead",  "title",   "tr",      "ul",   "wbr"};
    for (const std::string& tag : tags)
        EXPECT_TRUE(harmless.contains(tag)) << tag;
    for (const std::string& name : attributes)
        EXPECT_TRUE(!name.starts_with("on") && name != "src" && name != "style") << name;
    EXPECT_GE(shown, 10u);
    EXPECT_EQ(page.named("style").size(), 1u);
}

TEST(ReportPage, NeedsNeitherNetworkNorScripts) {
    // Without the hostile texts, whose words for it are only words.
    const std::string page = report_page({record_of({"a", "b_1", "b_2"})});
    for (const char* loads : {"http:", "https:", "//", "url(", "@import", "<script", "<img", "<link", "src="})
        EXPECT_THAT(page, Not(HasSubstr(loads)));
    EXPECT_THAT(page, HasSubstr("content=\"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;\""));
}

TEST(ReportPage, FitsPhonesAndBothColourSchemes) {
    const std::string text = report_page({example()});
    const XmlNode page = test::parse_xml(text);
    const auto viewport = page.all([](const XmlNode& node) { return node.attribute("name") == "viewport"; });
    ASSERT_EQ(viewport.size(), 1u);
    EXPECT_EQ(viewport[0]->attribute("content"), "width=device-width, initial-scale=1");
    EXPECT_THAT(page.named("style").at(0)->text, HasSubstr("(prefers-color-scheme: dark)"));
}

TEST(ReportPage, EveryChartSaysInWordsWhatItShows) {
    const XmlNode page = test::parse_xml(report_page({example()}));
    const auto charts = page.all([](const XmlNode& node) { return node.attribute("role") == "img"; });
    EXPECT_GE(charts.size(), 50u);
    for (const XmlNode* chart : charts) {
        ASSERT_FALSE(chart->children.empty());
        EXPECT_EQ(chart->children[0].name, "title");
        EXPECT_NE(chart->children[0].text, "");
    }
    for (const XmlNode* chart : page.of_class("chart"))
        EXPECT_EQ(chart->children.at(1).name, "desc") << chart->text;
}

TEST(ReportPage, SaysAllThatARecordDoes) {
    const FullRecord record = example();
    const XmlNode page = test::parse_xml(report_page({record}));
    // Three of the splits have no parts, and are two tables.
    EXPECT_EQ(page.named("tbody").size(), html::groups_of(record).size() + 2);
    size_t rows = 0;
    for (const XmlNode* body : page.named("tbody"))
        rows += body->named("tr").size();
    EXPECT_EQ(rows, record.series.size() + 3);
    EXPECT_EQ(page.of_class("stack").size(), record.splits.size() - 3);
    EXPECT_EQ(page.of_class("warnings").at(0)->named("li").size(), 2u);
    EXPECT_THAT(texts(page.of_class("skipped").at(0)->named("li")),
                ElementsAre(HasSubstr(": no /dev/kvm"), HasSubstr("other: " + hostile_text())));
    EXPECT_THAT(texts(page.named("dd")), testing::Contains("12.3"));
    size_t ratios = 0;
    for (const XmlNode* table : page.of_class("ratios"))
        ratios += table->of_class("plot").size() - 1;  // without the axis
    EXPECT_EQ(ratios, record.ratios.size());
}

TEST(ReportPage, WarningsComeFirst) {
    const std::string page = report_page({example()});
    EXPECT_LT(page.find("class=\"warnings\""), page.find("class=\"facts\""));
    EXPECT_THAT(report_page({record_of({"a"})}), Not(HasSubstr("class=\"warnings\"")));
}

TEST(ReportPage, RatiosWithIntervalAndExpectation) {
    FullRecord record = record_of({"a", "b"});
    record.ratios = {{"a : b", 2, {1.5, 1.75, 2, 2, 2.25, 2.5}, ">= 1.1"}, {"b : a", 0.5, {0.5}, ""}};
    const XmlNode page = test::parse_xml(report_page({record}));
    const auto tables = page.of_class("ratios");
    ASSERT_EQ(tables.size(), 2u);
    EXPECT_EQ(tables[0]->of_class("name").at(0)->text, "a : b");
    EXPECT_EQ(tables[0]->of_class("value").at(0)->text, "2.00");
    EXPECT_THAT(tables[0]->of_class("sure").at(0)->text, HasSubstr("1.50 – 2.50"));
    EXPECT_THAT(tables[0]->of_class("expected").at(0)->text, HasSubstr("≥ 1.1"));
    EXPECT_EQ(tables[1]->of_class("value").at(0)->text, "0.500");
    EXPECT_THAT(tables[1]->of_class("sure").at(0)->text, HasSubstr("too few rounds"));
    EXPECT_THAT(texts(page.named("summary")), testing::Contains("1 ratios of which nothing was expected"));
}

TEST(ReportPage, ASectionForEachRecord) {
    FullRecord first = record_of({"a"}), second = record_of({"b"});
    first.path = "one.json";
    second.path = "two.json";
    const XmlNode page = test::parse_xml(report_page({first, second}));
    EXPECT_THAT(texts(page.named("h2")), ElementsAre(HasSubstr("one.json"), HasSubstr("two.json")));
    EXPECT_EQ(page.named("h1").at(0)->text, "farcall bench: 2 records");
}

TEST(ReportPage, ContentsLinkToEveryPart) {
    const XmlNode page = test::parse_xml(report_page({example(), example(), record_of({"a"})}));
    std::vector<std::string> links, ids, titles;
    for (const XmlNode* link : page.named("a"))
        links.push_back(link->attribute("href"));
    for (const XmlNode* part : page.all([](const XmlNode& node) { return !node.attribute("id").empty(); })) {
        ids.push_back("#" + part->attribute("id"));
        titles.push_back(part->named("h3").at(0)->text);
    }
    // One part alone needs none.
    ASSERT_EQ(ids.back(), "#record-2-0");
    ids.pop_back();
    EXPECT_EQ(links, ids);
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
    EXPECT_THAT(titles,
                testing::IsSupersetOf({"Ratios", "Where the time goes", "Single figures", "timers_among",
                                       "read_4k_in_flight and what it is compared with"}));
}

TEST(ReportPage, BoxesLieWhereTheirPercentilesDo) {
    FullRecord record = record_of({"a", "b"});
    // All four times as long, so everything lies as much further to the right.
    for (double& ns : record.series[1].percentiles_ns)
        ns *= 4;
    const XmlNode page = test::parse_xml(report_page({record}));
    const XmlNode boxes = *page.of_class("boxes").at(0);
    EXPECT_THAT(texts(boxes.of_class("value")), ElementsAre("100 ns", "400 ns"));
    const auto box = boxes.of_class("box");
    const auto medians = boxes.of_class("median");
    ASSERT_EQ(box.size(), 2u);
    const double p25 = share(*box[0], "x"), p75 = p25 + share(*box[0], "width"),
                 p50 = share(*medians[0], "x1");
    EXPECT_NEAR((p50 - p25) / (p75 - p25), std::log(100.0 / 80) / std::log(150.0 / 80), 0.01);
    EXPECT_NEAR(share(*medians[1], "x1") - p50, share(*box[1], "x") - p25, 0.02);
    EXPECT_THAT(
        texts(boxes.named("title")),
        testing::Contains("a: median 100 ns, half of the samples 80.0 ns to 150 ns, percentiles 1 to 99 50.0 "
                          "ns to 200 ns"));
}

TEST(ReportPage, PartsFillTheirBar) {
    FullRecord record = record_of({"a"});
    record.splits = {{"a", {{"x", 30}, {"y", 10}}, {{"exits", 2.5}}}, {"b", {{"y", 20}}, {}}};
    const XmlNode page = test::parse_xml(report_page({record}));
    const auto bars = page.of_class("stack");
    ASSERT_EQ(bars.size(), 2u);
    const auto parts = bars[0]->of_class("part");
    EXPECT_NEAR(share(*parts.at(0), "width"), 75, 0.01);
    EXPECT_NEAR(share(*parts.at(1), "x"), 75, 0.01);
    EXPECT_NEAR(share(*parts.at(1), "width"), 25, 0.01);
    // One scale for both, and one colour for one part.
    EXPECT_NEAR(share(*bars[1]->of_class("part").at(0), "width"), 50, 0.01);
    EXPECT_EQ(bars[0]->named("g").at(1)->attribute("class"), bars[1]->named("g").at(0)->attribute("class"));
    EXPECT_THAT(texts(page.of_class("counts").at(0)->named("li")), ElementsAre("2.50 exits per operation"));
    // A thousandth of it would not be seen: scales of their own.
    record.splits[1].parts = {{"y", 0.04}};
    EXPECT_NEAR(share(*test::parse_xml(report_page({record})).of_class("stack").at(1)->of_class("part").at(0),
                      "width"),
                100, 0.01);
}

TEST(ReportPage, AnEmptyRecordIsAPage) {
    const XmlNode page = test::parse_xml(report_page({record_of({})}));
    EXPECT_EQ(page.named("h2").size(), 1u);
    EXPECT_TRUE(page.named("svg").empty());
}

TEST(ReportPage, OfThousandSeries) {
    std::vector<std::string> names;
    names.reserve(1000);
    for (int i = 0; i < 1000; i++)
        names.push_back("some_" + std::string(1, static_cast<char>('a' + i % 26)) + std::to_string(i) +
                        "_w_1");
    const XmlNode page = test::parse_xml(report_page({record_of(names)}));
    size_t rows = 0;
    for (const XmlNode* body : page.named("tbody"))
        rows += body->named("tr").size();
    EXPECT_EQ(rows, 1000u);
}

}  // namespace
}  // namespace farcall::bench
