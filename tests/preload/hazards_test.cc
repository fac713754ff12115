// SPDX-License-Identifier: MIT
// What programs do that a library between them and the kernel could break; see tests/preload/victim.h.
#include "tests/preload/rig.h"

namespace farcall::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class PreloadHazards : public PreloadRig {
  protected:
    Ran expect_unnoticed(const std::string& mode) {
        const std::string command = FARCALL_VICTIM " " + mode;
        expect_same_always(command);
        return run(command, preload("FARCALL_SUMMARY=" + (base_ / "summary").string()));
    }
    std::string report(const std::string& command) {
        const auto file = base_ / "report";
        std::filesystem::remove(file);
        run(command, preload("FARCALL_PRELOAD_REPORT=" + file.string()));
        return slurp(file);
    }
};

TEST_F(PreloadHazards, RegistersFlagsAndRedZone) {
    const Ran ran = expect_unnoticed("registers");
    EXPECT_EQ(ran.status, 0) << ran;
    EXPECT_THAT(ran.out, HasSubstr("0 words changed"));
    EXPECT_THAT(report(FARCALL_VICTIM " registers"), HasSubstr("(program): 1 patched"));
}

TEST_F(PreloadHazards, BytesThatAreNoCode) {
    expect_unnoticed("bytes");
    EXPECT_THAT(report(FARCALL_VICTIM " bytes"), HasSubstr("not code"));
    EXPECT_THAT(report(FARCALL_VICTIM " bytes"),
                Not(HasSubstr("(program): 1 patched, 0 left alone, 0 not code")));
}

TEST_F(PreloadHazards, SmallStacks) {
    expect_unnoticed("small_stack");
}
TEST_F(PreloadHazards, JumpsOutOfCalls) {
    expect_unnoticed("jumps");
}
TEST_F(PreloadHazards, SignalStacks) {
    expect_unnoticed("stacks");
}
TEST_F(PreloadHazards, Exceptions) {
    expect_unnoticed("exceptions");
}
TEST_F(PreloadHazards, Cancellation) {
    expect_unnoticed("cancel");
}
TEST_F(PreloadHazards, InterruptedCalls) {
    expect_unnoticed("restart");
}
TEST_F(PreloadHazards, Plugins) {
    expect_unnoticed("plugins");
}
TEST_F(PreloadHazards, Children) {
    expect_unnoticed("spawn");
}
TEST_F(PreloadHazards, Environment) {
    expect_unnoticed("environment");
}
TEST_F(PreloadHazards, Descriptors) {
    expect_unnoticed("descriptors");
}
TEST_F(PreloadHazards, StrictSeccomp) {
    expect_unnoticed("restricted");
}
TEST_F(PreloadHazards, SeccompFilter) {
    expect_unnoticed("filtered");
}
TEST_F(PreloadHazards, BadPointers) {
    expect_unnoticed("faults");
}
TEST_F(PreloadHazards, Storm) {
    expect_unnoticed("storm");
}

TEST_F(PreloadHazards, SitesAreFoundAndThoseLeftAloneAreListed) {
    const std::string text = report("true");
    EXPECT_THAT(text, HasSubstr("libc.so.6: "));
    EXPECT_THAT(text, HasSubstr("ld-linux-x86-64.so.2: "));
    std::istringstream lines(text);
    long patched = 0, alone = 0, listed = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto colon = line.find(": ");
        long one = 0, other = 0;
        if (colon != std::string::npos &&
            std::sscanf(line.c_str() + colon, ": %ld patched, %ld left", &one, &other) == 2) {
            patched += one;
            alone += other;
        } else {
            listed++;
        }
    }
    std::cout << patched << " sites patched, " << alone << " left alone:\n" << text;
    EXPECT_GT(patched, 100);
    EXPECT_LT(alone * 20, patched) << "most of them are worth it";
    EXPECT_EQ(listed, alone);
}

TEST_F(PreloadHazards, NothingIsWritableAndExecutable) {
    for (const char* mode : {"", "FARCALL_NET=1"}) {
        const Ran ran = run("cat /proc/self/maps", preload(mode));
        EXPECT_THAT(ran.out, HasSubstr("libfarcall-preload.so"));
        EXPECT_THAT(ran.out, Not(HasSubstr("rwx")));
    }
}

TEST_F(PreloadHazards, TheLibraryGoesAlongWithCleanedEnvironments) {
    const std::string maps = "grep -c libfarcall-preload /proc/self/maps";
    EXPECT_EQ(run("env -i sh -c 'env -i bash -c \"" + maps + " >/dev/null && echo there\"'", preload()).out,
              "there\n");
    EXPECT_EQ(run("FARCALL_PRELOAD=off " + maps, preload()).out, "0\n");
    EXPECT_EQ(run("FARCALL_PRELOAD=off sh -c '" + maps + "'", preload()).out, "0\n");
}

// Listing /proc/self/fd shows the trace's descriptor; without one there is nothing to see.
TEST_F(PreloadHazards, NoDescriptorOfItsOwn) {
    expect_same("ls -l /proc/self/fd | wc -l",
                "FARCALL_NET=1 FARCALL_SUMMARY=" + (base_ / "summary").string());
}

TEST_F(PreloadHazards, NothingIsExported) {
    const Ran ran =
        run("readelf -W --dyn-syms " FARCALL_PRELOAD
            " | grep -E 'GLOBAL|WEAK' | grep -v UND; readelf -d " FARCALL_PRELOAD " | grep NEEDED",
            "");
    EXPECT_EQ(ran.out, "");
}

}  // namespace
}  // namespace farcall::test
