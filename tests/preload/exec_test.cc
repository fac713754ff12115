// SPDX-License-Identifier: MIT
// farcall-exec: statically linked programs do under it exactly what they do without, and their calls are
// seen.
#include "tests/preload/rig.h"

namespace farcall::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Exec : public PreloadRig {
  protected:
    std::string summary() const { return (base_ / "summary").string(); }
    std::string report() const { return slurp(base_ / "report"); }

    /// As it is, under farcall-exec, and with all that it can do beside. The program's path, and its
    /// arguments.
    Ran expect_same_launched(const std::string& command) {
        const Ran plain = run(command, "");
        const std::string report_to = "FARCALL_PRELOAD_REPORT=" + (base_ / "report").string();
        EXPECT_EQ(plain, run(FARCALL_EXEC " " + command, report_to)) << command;
        EXPECT_EQ(plain, run(FARCALL_EXEC " " + command, "FARCALL_NET=1 FARCALL_FSTYPE=" + fstype() +
                                                             " FARCALL_SUMMARY=" + summary() +
                                                             " FARCALL_TRACE=" + (base_ / "trace").string()))
            << command;
        return plain;
    }
    std::string built(const std::string& compiler, const std::string& name) {
        const std::string program = (base_ / name).string();
        EXPECT_EQ(
            std::system((compiler + " -O1 -o '" + program + "' " FARCALL_SOURCES "/static_victim.c -pthread")
                            .c_str()),
            0);
        return program;
    }
};

TEST_F(Exec, StaticPrograms) {
    for (const char* compiler : {"cc -static", "cc -static-pie -fPIE"}) {
        const Ran ran = expect_same_launched(built(compiler, "victim") + " one two");
        EXPECT_EQ(WEXITSTATUS(ran.status), 7) << ran;
        EXPECT_THAT(report(), HasSubstr("victim: "));
        EXPECT_THAT(report(), Not(HasSubstr("victim: 0 patched")));
        EXPECT_THAT(slurp(summary()), HasSubstr("victim: "));
    }
}

TEST_F(Exec, AnotherLibc) {
    if (!installed("musl-gcc")) GTEST_SKIP();
    const Ran ran = expect_same_launched(built("musl-gcc -static", "victim"));
    EXPECT_EQ(WEXITSTATUS(ran.status), 7) << ran;
}

TEST_F(Exec, Go) {
    if (!installed("go")) GTEST_SKIP();
    const std::string program = (base_ / "stress").string();
    ASSERT_EQ(
        std::system(("cd '" + base_.string() +
                     "' && HOME=$PWD CGO_ENABLED=0 GOCACHE=$PWD/cache GOFLAGS=-modcacherw go build -o '" +
                     program + "' " FARCALL_SOURCES "/stress.go")
                        .c_str()),
        0);
    const Ran ran = expect_same_launched(program + " argument");
    EXPECT_EQ(WEXITSTATUS(ran.status), 5) << ran;
    EXPECT_THAT(slurp(base_ / "trace"), HasSubstr("openat(AT_FDCWD, \"f3\", O_RDONLY|O_CLOEXEC) = "));
    EXPECT_THAT(slurp(summary()), HasSubstr("stress: "));
    EXPECT_THAT(slurp(summary()), HasSubstr("dash: ")) << "its children";
}

TEST_F(Exec, Busybox) {
    if (!installed("busybox")) GTEST_SKIP();
    expect_same_launched(
        "/bin/busybox sh -c 'ls /etc/default; echo text >file; cat file | wc -c; (exit 3); echo $?; trap "
        "\"echo bye\" EXIT; kill -0 $$; exit 4'");
    expect_same_launched("/bin/busybox cat /nowhere");
    expect_same_launched("busybox ls -l /etc/passwd");
}

TEST_F(Exec, DynamicProgramsGetTheLibrary) {
    expect_same_launched("cat /etc/passwd");
    const Ran ran = run(FARCALL_EXEC " grep -c libfarcall-preload /proc/self/maps", "");
    EXPECT_THAT(ran.out, Not(HasSubstr("0\n"))) << ran;
}

// From a shell with the library, statically linked programs go through the launcher, with the name that they
// were called by.
TEST_F(Exec, ChildrenAreLaunchedToo) {
    if (!installed("busybox")) GTEST_SKIP();
    const std::string command =
        "bash -c 'exec -a called /bin/busybox sh -c \"echo \\$0; /bin/busybox ls -d /\"'; env -i "
        "/bin/busybox echo clean; /bin/busybox nonsense";
    const Ran plain = run(command, "");
    const Ran ran = run(command, preload("FARCALL_EXEC=" FARCALL_EXEC " FARCALL_SUMMARY=" + summary()));
    EXPECT_EQ(plain, ran);
    EXPECT_THAT(slurp(summary()), HasSubstr("busybox: "));
}

TEST_F(Exec, SaysWhatIsWrong) {
    EXPECT_EQ(WEXITSTATUS(run(FARCALL_EXEC, "").status), 125);
    EXPECT_THAT(run(FARCALL_EXEC, "").err, HasSubstr("farcall-exec [--name NAME] PROGRAM"));
    EXPECT_EQ(WEXITSTATUS(run(FARCALL_EXEC " no-such-program", "").status), 127);
    EXPECT_EQ(WEXITSTATUS(run(FARCALL_EXEC " /etc/passwd", "").status), 126);
}

}  // namespace
}  // namespace farcall::test
