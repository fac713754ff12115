// SPDX-License-Identifier: MIT
// What a user sees of the executable when something is wrong: one sentence, and status 125 (127: no such
// command).
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/test_client.h"

namespace farcall::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Outcome {
    int status = -1;
    std::string out;
    std::string err;
};

class Cli : public testing::Test {
  protected:
    // A guest that is complete by its names alone.
    Cli() {
        fs::create_directory(dir_.path() / "6.12");
        dir_.write("6.12/vmlinux", std::string(4096, 'x'));
        dir_.write("6.12/farcall.ko", "module");
        dir_.write("farcall-init", "init");
    }

    // `prefix` runs the program: words of a shell command line.
    Outcome run(const std::string& arguments, const std::string& prefix = "",
                const std::string& program = FARCALL_PROGRAM) const {
        const std::string out = (dir_.path() / "out").string(), err = (dir_.path() / "err").string();
        const std::string line = prefix + " env FARCALL_GUEST_DIR='" + dir_.path().string() + "' '" +
                                 program + "' " + arguments + " >'" + out + "' 2>'" + err + "' </dev/null";
        const int status = std::system(line.c_str());
        EXPECT_TRUE(WIFEXITED(status)) << line;
        return {WEXITSTATUS(status), dir_.read("out"), dir_.read("err")};
    }

    // Nothing but one line that begins with "farcall: " and has `words`.
    static void expect_sentence(const Outcome& outcome, const std::string& words, int status = 125) {
        EXPECT_EQ(outcome.status, status) << outcome.err;
        EXPECT_EQ(outcome.out, "");
        EXPECT_EQ(outcome.err.rfind("farcall: ", 0), 0u) << outcome.err;
        EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr(words));
    }
    void expect_refused(const std::string& arguments, const std::string& words, int status = 125) const {
        SCOPED_TRACE(arguments);
        expect_sentence(run(arguments), words, status);
    }

    // A kernel that loads, so that what comes after it is looked at; loader_test is about its parts.
    void write_kernel() const {
        std::string image(4096, '\0');
        const auto put = [&](size_t at, uint64_t value, size_t bytes) { memcpy(&image[at], &value, bytes); };
        put(0x1f1, 1, 1), put(0x200, 0x62eb, 2), put(0x206, 0x20c, 2), put(0x211, 1, 1), put(0x22c, ~0u, 4);
        put(0x236, 1, 2), put(0x238, 2047, 4), put(0x258, 16 << 20, 8), put(0x260, 1 << 20, 4);
        image.replace(0x202, 4, "HdrS");
        dir_.write("6.12/vmlinux", image);
    }

    TempDir dir_;
};

TEST_F(Cli, CommandLineMistakes) {
    expect_refused("frobnicate", "frobnicate");
    expect_refused("", "A command is required");
    expect_refused("--frobnicate", "--frobnicate");
    expect_refused("run --frobnicate -- true", "--frobnicate");
    expect_refused("run", "CMD");
    expect_refused("run --workers 0 -- true", "--workers");
    expect_refused("run --workers many -- true", "--workers");
    expect_refused("run --cpus 0 -- true", "--cpus");
    expect_refused("run --cpus 4000000000 -- true", "--cpus");
    expect_refused("run --timeout -1 -- true", "--timeout");
    expect_refused("run --memory-backing disk -- true", "--memory-backing");
    expect_refused("run --io disk -- true", "--io");
    expect_refused("serve --socket /nonexistent/socket --io disk", "--io");
    expect_refused("doctor --xml", "--xml");
    expect_refused("run --net internet -- true", "internet");
    expect_refused("serve", "--socket");
    expect_refused("serve --socket /nonexistent/socket", "/nonexistent: No such file");
    expect_refused("serve --socket /nonexistent/socket --share /nonexistent/share", "/nonexistent/share");
    expect_refused("bench frobnicate", "frobnicate");
    expect_refused("bench report --html /nonexistent/page", "records is required");
    expect_refused("bench report /etc/passwd", "--html or --csv is required");
    expect_refused("bench report /etc/passwd --csv /nonexistent/table",
                   "/etc/passwd is not the record of a bench");
    expect_refused("bench report / --csv /nonexistent/table", "cannot read /: Is a directory");
}

// All of these come before this machine's KVM has a say: with --no-probe or without it the sentence is the
// same.
TEST_F(Cli, InputMistakesAreReportedWithoutKvm) {
    for (const std::string probe : {"", "--no-probe "}) {
        const std::string start = "run " + probe;
        expect_refused(start + "--kernel /nonexistent/kernel -- true", "/nonexistent/kernel");
        expect_refused(start + "--kernel / -- true", "the kernel '/' is not a regular file");
        expect_refused(start + "--kernel /etc/passwd -- true", "'/etc/passwd' is not a Linux kernel");
        expect_refused(start + "-- true", "vmlinux' is not a Linux kernel");
        expect_refused(start + "--guest 9.9 -- true", "kernel and module");
        expect_refused(start + "--memory 8M -- true", "8 MiB is out of bounds");
        expect_refused(start + "--memory plenty -- true", "plenty");
        expect_refused(start + "--share /nonexistent/share -- true", "'/nonexistent/share'");
        expect_refused(start + "--share /etc/passwd:rw -- true", "'/etc/passwd'");
        expect_refused(start + "--worker-cores 1023 -- true", "core 1023");
        expect_refused(start + "--worker-cores one -- true", "'one'");
        expect_refused(start + "--user nobody -- true", "'nobody'");
        expect_refused(start + "--env NOVALUE -- true", "NOVALUE");
        expect_refused(start + "--tty -- true", "--tty");
    }
    std::string shares;
    for (int i = 0; i < 17; i++)
        shares += " --share /";
    expect_refused("run" + shares + " -- true", "at most 16");
}

TEST_F(Cli, MistakesAboutTheCommandAreReportedWithoutKvm) {
    write_kernel();
    expect_refused("run -- no-such-program", "'no-such-program'", 127);
    const std::string data = (dir_.path() / "farcall-init").string();  // not executable
    expect_refused("run -- " + data, data, 127);
    expect_refused("run --add /nonexistent/file -- true", "'/nonexistent/file'");
    expect_refused("run --initrd-base /nonexistent/base -- true", "'/nonexistent/base'");
    expect_refused("run --append " + std::string(3000, 'x') + " -- true", "command line");
    expect_refused("run --kernel-log /nonexistent/log -- true", "'/nonexistent/log'");
    dir_.write("large", "x");
    fs::resize_file(dir_.path() / "large", 200 << 20);
    expect_refused("run --memory 64M --add " + (dir_.path() / "large").string() + ":/large -- true",
                   "too little guest memory");
}

// Both commands that take them; each sentence names the bad word.
TEST_F(Cli, NetworkMistakesNameTheWord) {
    for (const std::string start : {"run ", "serve --socket /nonexistent/socket "}) {
        const std::string end = start == "run " ? " -- true" : "";
        const auto refused = [&](const std::string& option, const std::string& words) {
            expect_refused(start + option + end, words);
        };
        refused("--allow everything", "'everything'");
        refused("--allow tcp:127.0.0.1", "'tcp:127.0.0.1'");
        refused("--allow icmp:127.0.0.1:1", "'icmp'");
        refused("--allow tcp:localhost:1", "'localhost'");
        refused("--allow tcp:::1:80", "'::1'");
        refused("--allow tcp:127.0.0.1/33:1", "'33'");
        refused("--allow tcp:[::1]/129:1", "'129'");
        refused("--allow tcp:127.0.0.1/x:1", "'x'");
        refused("--allow tcp:127.0.0.1:http", "'http'");
        refused("--allow tcp:127.0.0.1:0", "'0'");
        refused("--allow tcp:127.0.0.1:9-8", "'9-8'");
        refused("--allow tcp:127.0.0.1:65536", "'65536'");
        refused("--publish http", "'http'");
        refused("--publish 80/sctp", "'sctp'");
        refused("--publish 1.2.3:80", "'1.2.3'");
        refused("--publish [::g]:80", "'[::g]'");
        refused("--publish 80:0", "'0'");
        refused("--publish 80-90:80", "a range");
    }
}

// Runs what follows with a /dev of its own, in which `make` has put what it wants.
std::string with_own_dev(const std::string& make) {
    return "unshare -m sh -c 'mount -t tmpfs none /dev && " + make + " && exec \"$@\"' sh ";
}
bool own_dev_is_possible() {
    return std::system((with_own_dev("true") + "true 2>/dev/null").c_str()) == 0;
}
constexpr const char* kNoMounts =
    "NOT TESTED: this user may not make a mount namespace (unshare -m; run as root)";

TEST_F(Cli, NoKvm) {
    if (!own_dev_is_possible()) GTEST_SKIP() << kNoMounts;
    write_kernel();
    for (const std::string command : {"run -- true", "run --no-probe -- true"}) {
        SCOPED_TRACE(command);
        expect_sentence(run(command, with_own_dev("true")), "/dev/kvm does not exist");
        expect_sentence(run(command, with_own_dev("touch /dev/kvm")), "/dev/kvm is not KVM");
        expect_sentence(run(command, with_own_dev("mkdir /dev/kvm")), "cannot open /dev/kvm");
    }
    // A mistake of the user's still comes first.
    expect_sentence(run("run -- no-such-program", with_own_dev("true")), "'no-such-program'", 127);
}

TEST_F(Cli, NoPermissionForKvm) {
    if (geteuid() != 0 || !own_dev_is_possible()) GTEST_SKIP() << kNoMounts;
    write_kernel();
    fs::permissions(dir_.path(), fs::perms(0755));
    const std::string program = (dir_.path() / "farcall").string();
    fs::copy_file(FARCALL_PROGRAM, program);
    const std::string prefix = with_own_dev("touch /dev/kvm && chmod 600 /dev/kvm") +
                               "setpriv --reuid 65534 --regid 65534 --clear-groups";
    for (const std::string command : {"run -- true", "run --no-probe -- true"})
        expect_sentence(run(command, prefix, program), "no permission to open /dev/kvm");
}

TEST_F(Cli, DoctorIsJson) {
    std::vector<std::string> prefixes = {""};
    if (own_dev_is_possible()) prefixes.push_back(with_own_dev("true"));
    for (const std::string& prefix : prefixes) {
        const Outcome outcome = run("doctor --json", prefix);
        EXPECT_EQ(outcome.status, 0) << "the local transport works everywhere: " << outcome.err;
        EXPECT_EQ(outcome.err, "");
        const auto findings = nlohmann::json::parse(outcome.out, nullptr, false);
        ASSERT_TRUE(findings.is_array()) << outcome.out;
        std::map<std::string, nlohmann::json> by_name;
        for (const auto& finding : findings) {
            EXPECT_TRUE(finding.at("works").is_boolean());
            EXPECT_FALSE(finding.at("text").get<std::string>().empty()) << finding;
            by_name[finding.at("name")] = finding;
        }
        EXPECT_TRUE(by_name["local transport (farcall serve)"]["works"].get<bool>());
        EXPECT_TRUE(by_name.contains("io_uring for file I/O"));
        ASSERT_TRUE(by_name.contains("guests on this machine's KVM"));
        if (prefix.empty()) continue;
        const auto& kvm = by_name["guests on this machine's KVM"];
        EXPECT_FALSE(kvm["works"].get<bool>());
        EXPECT_THAT(kvm["text"].get<std::string>(), HasSubstr("/dev/kvm does not exist"));
    }
    const Outcome plain = run("doctor");
    EXPECT_EQ(plain.status, 0);
    EXPECT_THAT(plain.out, HasSubstr("local transport"));
}

TEST_F(Cli, TopShowsARunningServer) {
    expect_refused("top", "--control");
    expect_refused("top --once --control /nonexistent/control", "/nonexistent/control");
    const std::string socket = (dir_.path() / "socket").string(),
                      control = (dir_.path() / "control").string();
    const pid_t server = fork();
    if (server == 0) {
        execl(FARCALL_PROGRAM, "farcall", "serve", "--socket", socket.c_str(), "--control", control.c_str(),
              nullptr);
        _exit(127);
    }
    Outcome outcome;
    for (int i = 0; i < 100; i++) {
        outcome = run("top --once --control '" + control + "'");
        if (outcome.status == 0) break;
        usleep(50000);
    }
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    for (const char* words : {"OP ", "CLIENT ", "WORKER ", "DOORBELLS"})
        EXPECT_THAT(outcome.out, HasSubstr(words));
    kill(server, SIGTERM);
    int status = 0;
    waitpid(server, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_FALSE(fs::exists(control));
}

TEST_F(Cli, HelpAndVersionAreNoMistakes) {
    for (const std::string arguments :
         {"--help", "run --help", "serve --help", "doctor --help", "top --help", "--version"}) {
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.status, 0) << arguments;
        EXPECT_EQ(outcome.err, "") << arguments;
        EXPECT_NE(outcome.out, "") << arguments;
    }
}

}  // namespace
}  // namespace farcall::test
