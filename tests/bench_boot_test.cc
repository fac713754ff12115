// SPDX-License-Identifier: MIT
// How benches start monitors, look at their memory, and read what a guest says.
#include <gmock/gmock.h>
#include <signal.h>

#include <sstream>

#include "bench/spawned.h"
#include "bench/timed_lines.h"
#include "tests/error_sentence.h"

namespace farcall::bench {
namespace {

using test::sentence;
using testing::AllOf;
using testing::HasSubstr;

TEST(Smaps, TheLargestMappingIsTheGuests) {
    const Footprint footprint = parse_smaps(
        "55d0-55e0 r-xp 00000000 08:01 12 /usr/bin/some Size: thing\n"
        "Size:               1024 kB\nKernelPageSize:        4 kB\nRss:                 800 kB\nPss:         "
        "        300 kB\n"
        "Pss_Dirty:             0 kB\nVmFlags: rd ex mr mw me sd\n"
        "7f00-7f80 rw-p 00000000 00:00 0\n"
        "Size:             524288 kB\nRss:               90000 kB\nPss:               80000 kB\n"
        "7f90-7fa0 rw-p 00000000 00:00 0 [heap]\n"
        "Size:                200 kB\nRss:                 100 kB\nPss:                 100 kB\n");
    EXPECT_EQ(footprint.guest_bytes, 90000u * 1024);
    EXPECT_EQ(footprint.other_bytes, 400u * 1024);
    EXPECT_EQ(parse_smaps("").other_bytes, 0u);
    EXPECT_EQ(parse_smaps("Size: x kB\nPss:\n").guest_bytes, 0u);
}

TEST(Spawned, IsHeardAndAnswered) {
    Spawned shell({"sh", "-c", "echo ready; read line; echo got $line >&2; exit 5"});
    shell.await("ready", 20);
    shell.say("this\n");
    shell.await("got this", 20);
    EXPECT_EQ(shell.finish(20), 5);
}

TEST(Spawned, EndsTooSoonOrTooLate) {
    Spawned early({"sh", "-c", "echo what is wrong; exit 3"});
    EXPECT_THAT(sentence([&] { early.await("ready", 20); }),
                AllOf(HasSubstr("sh ended"), HasSubstr("what is wrong")));
    Spawned silent({"sh", "-c", "echo begun; sleep 100"});
    EXPECT_THAT(sentence([&] { silent.await("ready", 0.3); }),
                AllOf(HasSubstr("too long"), HasSubstr("begun")));
    EXPECT_THAT(sentence([] { Spawned({"/no/such/program"}); }), HasSubstr("/no/such/program"));
}

TEST(Spawned, EndsWithTheObject) {
    pid_t pid = 0;
    {
        const Spawned child({"sleep", "100"});
        pid = child.pid();
        EXPECT_EQ(kill(pid, 0), 0);
    }
    EXPECT_EQ(kill(pid, 0), -1);
}

std::vector<TimedRound> parse(const std::string& text) {
    std::istringstream in(text);
    return parse_timed_lines(in);
}

TEST(TimedLines, InTheirRounds) {
    const auto rounds = parse(
        "round\ntimed nop 100 400 7000 5 25\ntimed nop 500 900 7400 6 26\nplain call 77\ncounts nop 2 1 0 3\n"
        "round\ntimed nop 1100 1400 8000 5 25\ntimed read_4k 1 99999999999 2 3 4\nend\nwhat comes later\n");
    ASSERT_EQ(rounds.size(), 2u);
    ASSERT_EQ(rounds[0].timed.size(), 1u);
    EXPECT_EQ(rounds[0].timed[0].first, "nop");
    ASSERT_EQ(rounds[0].timed[0].second.size(), 2u);
    EXPECT_EQ(rounds[0].timed[0].second[1].picked_up, 7400u);
    EXPECT_EQ(rounds[0].timed[0].second[1].completed_after, 26u);
    EXPECT_EQ(rounds[0].plain[0].second, std::vector<uint32_t>{77});
    EXPECT_EQ(rounds[0].counts[0].second.exits, 3u);
    EXPECT_EQ(rounds[1].timed[1].first, "read_4k");
}

TEST(TimedLines, OfAHostileGuest) {
    const auto refused = [](const std::string& text) { return sentence([&] { parse(text); }); };
    for (const std::string line :
         {"timed nop 100 400 7000 5", "timed nop 100 400 7000 5 25 9", "timed nop 400 100 7000 5 25",
          "timed nop 100 400 7000 25 5", "timed nop -1x 400 7000 5 25", "timed <b>nop 100 400 7000 5 25",
          "timed nop 100 400 7000 5 99999999999", "plain call", "plain call x", "counts nop 0 1 0 3",
          "counts nop 2 1 0", "round 2", "else", "", "timed"})
        EXPECT_THAT(refused("round\n" + line + "\nend\n"), HasSubstr("line 2")) << line;
    EXPECT_THAT(refused("timed nop 100 400 7000 5 25\nend\n"), HasSubstr("line 1")) << "before any round";
    EXPECT_THAT(refused("round\n" + std::string(1000, 'x') + "\nend\n"), HasSubstr("line 2"));
    EXPECT_LT(refused("round\n" + std::string(100'000, 'x') + "\nend\n").size(), 500u);
    for (const std::string short_one : {"", "end\n", "round\ntimed nop 100 400 7000 5 25\n"})
        EXPECT_THAT(refused(short_one), HasSubstr("not complete"));
    EXPECT_THAT(refused("round\ntimed read_4k 1 9 2 3 4\nend\n"), HasSubstr("without 'nop'"));
    std::string kinds = "round\n";
    for (int i = 0; i < 100; i++)
        kinds += "plain kind" + std::to_string(i) + " 1\n";
    EXPECT_THAT(refused(kinds + "end\n"), HasSubstr("line 67"));
}

}  // namespace
}  // namespace farcall::bench
