// SPDX-License-Identifier: MIT
// --trace and --summary: what libfarcall-preload.so says about a run is what strace sees of the same one.
#include <map>
#include <regex>

#include "tests/preload/rig.h"

namespace farcall::test {
namespace {

// The programs' first descriptor is 3, whatever this test was started with.
[[maybe_unused]] const int kNothingInherited = close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);

using testing::HasSubstr;
using testing::Not;

class PreloadTrace : public PreloadRig {
  protected:
    std::string trace_variables() {
        return "FARCALL_FSTYPE=" + fstype() + " FARCALL_TRACE=" + (base_ / "trace").string();
    }
    std::string traced(const std::string& command) {
        std::filesystem::remove(base_ / "trace");
        last_ = run(command, preload(trace_variables()));
        return slurp(base_ / "trace");
    }

    /// Calls on files, without what differs from run to run: process numbers and addresses.
    static std::vector<std::string> normal(const std::string& text) {
        static const std::regex kWho(R"(^(\[\d+\]|\d+|\[pid +\d+\]) +)"), kAddress("0x[0-9a-f]{6,}"),
            kTail(R"( +\)? += )");
        std::vector<std::string> lines;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) {
            line = std::regex_replace(line, kWho, "");
            line = std::regex_replace(line, kAddress, "POINTER");
            if (line.find("+++") == std::string::npos && line.find("---") == std::string::npos)
                lines.push_back(line);
        }
        return lines;
    }

    /// From the first line with the mark on: what is before it is the loading of the program, which only
    /// strace sees.
    static std::string from_mark(const std::vector<std::string>& lines) {
        std::string all;
        for (const std::string& line : lines)
            if (!all.empty() || line.find("the-mark") != std::string::npos) all += line + "\n";
        return all;
    }

    Ran last_;
};

TEST_F(PreloadTrace, IsWhatStraceSees) {
    if (!installed("strace") || !installed("python3")) GTEST_SKIP();
    // One program that does everything itself, on files of the file system that is taken for the host's.
    std::ofstream(base_ / "calls.py") << R"(
import os
try: os.stat("the-mark")
except OSError: pass
fd = os.open("file", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
os.write(fd, b"some\ttext \"quoted\"\n\0\1\x7f" + b"1" * 100)
os.lseek(fd, -5, os.SEEK_END); os.read(fd, 10); os.pread(fd, 7, 3); os.pwrite(fd, b"ab", 1)
os.ftruncate(fd, 10); os.fsync(fd); os.fdatasync(fd); os.fchmod(fd, 0o600); os.fstat(fd)
two = os.dup(fd); os.write(two, b"x"); os.close(two)
os.close(fd)
for call in (lambda: os.mkdir("dir", 0o755), lambda: os.mkdir("dir"), lambda: os.rename("file", "dir/other"), lambda: os.stat("dir/other"),
             lambda: os.lstat("none"), lambda: os.link("dir/other", "hard"), lambda: os.symlink("to", "link"), lambda: os.readlink("link"),
             lambda: os.access("hard", os.R_OK | os.W_OK), lambda: os.truncate("hard", 3), lambda: os.chmod("hard", 0o4755), lambda: os.chdir("dir"),
             lambda: os.unlink("other"), lambda: os.rmdir("../dir"), lambda: os.chdir(".."), lambda: os.unlink("hard"), lambda: os.listdir("."),
             lambda: os.open("none/x", os.O_WRONLY | os.O_APPEND), lambda: os.rmdir("dir"), lambda: os.utime("link", follow_symlinks=False)):
    try: call()
    except OSError: pass
)";
    const std::string command = "/usr/bin/python3 -S -E " + (base_ / "calls.py").string();
    const std::string ours = from_mark(normal(traced("exec " + command)));
    const std::string seen = (base_ / "strace").string();
    // Calls that the other list is about; the last lines are the end of Python itself.
    const Ran ran =
        run("exec strace -f -a 1 -e signal=none -e trace=%file,%desc -o '" + seen + "' " + command, "");
    EXPECT_EQ(ran.status, last_.status) << ran;
    const std::string theirs = from_mark(normal(slurp(seen)));
    EXPECT_THAT(ours, HasSubstr("openat(AT_FDCWD, \"file\", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0640) = 3"));
    EXPECT_EQ(ours, theirs);
}

TEST_F(PreloadTrace, OnlyWhatIsTheHosts) {
    const std::string text = traced(
        "cat /proc/version >/dev/null; echo x >here; read -r line <here; mkdir d; cd "
        "d; ls ..");
    EXPECT_EQ(last_.status, 0) << last_;
    EXPECT_THAT(text, HasSubstr("openat(AT_FDCWD, \"here\", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3"));
    EXPECT_THAT(text, HasSubstr("read(0, \"x\\n\""));
    EXPECT_THAT(text, Not(HasSubstr("\"/proc/version\"")));
    EXPECT_THAT(text, Not(HasSubstr("\"/dev/null\"")));
}

TEST_F(PreloadTrace, GoesToADescriptorToo) {
    const Ran ran = run("cat here 7>&-", preload("FARCALL_FSTYPE=" + fstype() + " FARCALL_TRACE=7") +
                                             " bash -c 'exec \"$@\" 7>seen' -");
    EXPECT_THAT(ran.tree, HasSubstr("./seen"));
    EXPECT_THAT(slurp(base_ / "work" / "seen"),
                HasSubstr("openat(AT_FDCWD, \"here\", O_RDONLY) = -1 ENOENT (No such file or directory)\n"));
}

/// Counts of one program: call -> offloaded, not offloaded.
std::map<std::string, std::pair<long, long>> counts_of(const std::string& text, const std::string& program) {
    std::map<std::string, std::pair<long, long>> counts;
    std::istringstream lines(text);
    bool inside = false;
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line[0] != ' ') inside = line.rfind(program + ": ", 0) == 0;
        long host = 0, errors = 0, other = 0;
        char name[64];
        if (inside && std::sscanf(line.c_str(), "%ld %ld %ld %63s", &host, &errors, &other, name) == 4)
            counts[name] = {host, other};
    }
    return counts;
}

TEST_F(PreloadTrace, SummaryCountsEveryProgram) {
    const std::string file = (base_ / "summary").string();
    const Ran ran =
        run("echo abc >x; for i in 1 2 3 4 5; do cat x | cat; done; sh -c 'kill -9 $$'; grep -c a x",
            preload("FARCALL_FSTYPE=" + fstype() + " FARCALL_SUMMARY=" + file));
    EXPECT_EQ(ran.status, 0) << ran;
    const std::string text = slurp(file);
    auto cat = counts_of(text, "cat");
    EXPECT_EQ(cat["read"].first, 10) << text;  // the text and the end of it, each time
    EXPECT_THAT(text, HasSubstr("cat: "));
    EXPECT_THAT(text, HasSubstr("started 10 times"));
    EXPECT_GT(counts_of(text, "dash")["getpid"].second + counts_of(text, "dash")["kill"].second, 0)
        << "killed, but counted: " << text;
    EXPECT_GT(counts_of(text, "bash")["clone"].second, 0) << text;
}

// The call that is nobody's business: what the way through a slot adds. Printed, with a generous limit.
TEST_F(PreloadTrace, CostOfACallThatIsNotOurs) {
    const std::string program = FARCALL_VICTIM " cost";
    const std::string file = (base_ / "summary").string();
    const double plain = std::atof(run(program, "").out.c_str());
    const double with = std::atof(run(program, preload("FARCALL_NET=1")).out.c_str());
    const double counted = std::atof(run(program, preload("FARCALL_SUMMARY=" + file)).out.c_str());
    std::printf("getppid: %.1f ns; with the library %.1f (x %.2f), counted %.1f (x %.2f)\n", plain, with,
                with / plain, counted, counted / plain);
    EXPECT_GT(plain, 0);
}

}  // namespace
}  // namespace farcall::test
