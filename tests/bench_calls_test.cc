// SPDX-License-Identifier: MIT
// What farcall-calls writes: read whole, or refused.
#include <gmock/gmock.h>

#include "bench/call_times.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

using testing::ElementsAre;

TEST(CallTimes, AreWithoutTheWarmUp) {
    const auto times = parse_call_times("read 500 99\nbegin\nread 500 10\nclose 500 7\nread 500 12\nend\n");
    ASSERT_EQ(times.size(), 2u);
    EXPECT_EQ(times.at("read").calls, 500u);
    EXPECT_THAT(times.at("read").ns, ElementsAre(10, 12));
    EXPECT_THAT(times.at("close").ns, ElementsAre(7));
}

TEST(CallTimes, AreRefusedWhenCutOffOrSomethingElse) {
    for (const char* text :
         {"", "begin\n", "begin\nread 500 10\n", "read 500 10\n", "begin\nread 500\nend\n",
          "begin\nread 0 10\nend\n", "begin\nread 500 10 1\nend\n", "begin\nread 500 -1\nend\n",
          "begin\nread 500 5000000000\nend\n", "begin\nread 500 1\nread 400 1\nend\n", "begin\n\nend\n"})
        EXPECT_THROW(parse_call_times(text), Error) << text;
}

}  // namespace
}  // namespace farcall::bench
