// SPDX-License-Identifier: MIT
// farcall-init's session (streams, signals, status), over the local transport instead of a VM's device.
#include <poll.h>

#include <farcall/init.h>

#include "tests/local_rig.h"

namespace farcall::test {
namespace {

struct Pipe {
    UniqueFd read, write;
    Pipe() {
        int ends[2];
        EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
        read.reset(ends[0]);
        write.reset(ends[1]);
    }
};

std::string read_all(int fd) {
    std::string text;
    char buffer[65536];
    ssize_t got = 0;
    while ((got = ::read(fd, buffer, sizeof(buffer))) > 0)
        text.append(buffer, static_cast<size_t>(got));
    return text;
}

class InitTest : public ::testing::Test {
  protected:
    InitTest() {
        int ends[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        control_host_.reset(ends[0]);
        control_.reset(ends[1]);
        LocalServerConfig config;
        config.offer_streams = true;
        host_.emplace(
            directory_, config,
            StreamConfig{in_.read.get(), out_.write.get(), err_.write.get(), control_host_.get(), -1});
    }

    void start(const std::string& config) {
        const std::string path = directory_.path() + "/config";
        std::ofstream(path) << config;
        pid_ = in_child([&] {
            setenv("FARCALL", directory_.where().c_str(), 1);
            setenv("FARCALL_INIT_CONFIG", path.c_str(), 1);
            execl(FARCALL_INIT_PROGRAM, "farcall-init", nullptr);
            return 99;
        });
    }
    void input(const std::string& text) {
        writer_ = std::thread([this, text] {
            size_t at = 0;
            while (at < text.size()) {
                const ssize_t done = write(in_.write.get(), text.data() + at, text.size() - at);
                if (done <= 0) break;
                at += static_cast<size_t>(done);
            }
            in_.write.reset();
        });
    }
    /// The exit status; out and err hold what came out.
    int finish() {
        std::thread out([this] { out_text_ = read_all(out_.read.get()); });
        std::thread err([this] { err_text_ = read_all(err_.read.get()); });
        const int status = exit_status(pid_);
        host_.reset();
        out_.write.reset();
        err_.write.reset();
        out.join();
        err.join();
        if (writer_.joinable()) writer_.join();
        return status;
    }
    void send(uint32_t type, uint32_t a, uint32_t b = 0) {
        const fc_init_record record{type, a, b, 0};
        EXPECT_EQ(write(control_.get(), &record, sizeof(record)), static_cast<ssize_t>(sizeof(record)));
    }

    Pipe in_, out_, err_;
    UniqueFd control_host_, control_;
    LocalDirectory directory_;
    std::optional<LocalHost> host_;
    pid_t pid_ = -1;
    std::thread writer_;
    std::string out_text_, err_text_;
};

TEST_F(InitTest, PassesArgumentsEnvironmentDirectoryAndStatus) {
    start(
        "arg sh\narg -c\narg pwd;%20echo%20\"$A\";%20echo%20oops%20>&2;%20exit%203\nenv A=b%20%20c\n"
        "env PATH=/bin:/usr/bin\ncwd /tmp\n");
    input("");
    EXPECT_EQ(finish(), 3);
    EXPECT_EQ(out_text_, "/tmp\nb  c\n");
    EXPECT_EQ(err_text_, "oops\n");
}

TEST_F(InitTest, RunsAsTheConfiguredUser) {
    if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: needs root to become another user";
    start("arg /usr/bin/id\narg -u\nuser 54321:54321\n");
    input("");
    EXPECT_EQ(finish(), 0);
    EXPECT_EQ(out_text_, "54321\n");
}

TEST_F(InitTest, CarriesMegabytesUnchanged) {
    std::string data(5'000'000, '\0');
    uint32_t state = 1;
    for (char& c : data)
        c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    start("arg /bin/cat\n");
    input(data);
    EXPECT_EQ(finish(), 0);
    EXPECT_TRUE(out_text_ == data) << out_text_.size();
}

TEST_F(InitTest, SaysWhyACommandCannotRun) {
    start("arg /no/such/command\n");
    input("");
    EXPECT_EQ(finish(), 127);
    EXPECT_EQ(err_text_, "farcall: /no/such/command: No such file or directory\n");
}

TEST_F(InitTest, RefusesFilesThatAreNotExecutable) {
    start("arg /etc/passwd\n");
    input("");
    EXPECT_EQ(finish(), 126);
    EXPECT_EQ(err_text_, "farcall: /etc/passwd: Permission denied\n");
}

TEST_F(InitTest, DeliversSignals) {
    start(
        "arg sh\narg -c\narg "
        "trap%20'exit%207'%20TERM;%20echo%20ready;%20while%20:;%20do%20sleep%200.05;%20done\n"
        "env PATH=/bin:/usr/bin\n");
    char buffer[16];
    ASSERT_EQ(read(out_.read.get(), buffer, sizeof(buffer)), 6);
    send(FC_INIT_SIGNAL, SIGTERM);
    EXPECT_EQ(finish(), 7);
}

TEST_F(InitTest, ReportsAKillingSignal) {
    start("arg sh\narg -c\narg kill%20-9%20$$\nenv PATH=/bin:/usr/bin\n");
    EXPECT_EQ(finish(), 128 + SIGKILL);
}

TEST_F(InitTest, GivesATerminalWithItsSize) {
    start(
        "arg sh\narg -c\narg test%20-t%200%20&&%20stty%20size;%20read%20x;%20stty%20size\n"
        "env PATH=/bin:/usr/bin\ntty 30x100\n");
    char buffer[16] = {};
    ASSERT_GT(read(out_.read.get(), buffer, sizeof(buffer)), 0);
    EXPECT_STREQ(buffer, "30 100\r\n");
    send(FC_INIT_WINDOW, 50, 132);
    std::this_thread::sleep_for(200ms);
    input("go\n");
    EXPECT_EQ(finish(), 0);
    EXPECT_NE(out_text_.find("50 132\r\n"), std::string::npos) << out_text_;
}

/// What the command leaves behind, holding its streams open, does not hold up the end for long.
TEST_F(InitTest, DoesNotWaitForOrphans) {
    start("arg sh\narg -c\narg sleep%2030%20&%20echo%20done\nenv PATH=/bin:/usr/bin\n");
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(finish(), 0);
    EXPECT_EQ(out_text_, "done\n");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

/// What is written to the FIFO comes out on stderr, also the last of it.
TEST_F(InitTest, CopiesATrace) {
    const std::string fifo = directory_.path() + "/trace";
    start("arg sh\narg -c\narg echo%20first%20>" + fifo +
          ";%20sleep%200.1;%20echo%20own%20>&2;%20seq%205000%20>" + fifo +
          "\nenv PATH=/bin:/usr/bin\ntrace " + fifo + "\n");
    input("");
    EXPECT_EQ(finish(), 0);
    EXPECT_EQ(err_text_.rfind("first\n", 0), 0u) << err_text_.substr(0, 100);
    EXPECT_NE(err_text_.find("own\n"), std::string::npos);
    EXPECT_NE(err_text_.find("\n5000\n"), std::string::npos);
}

TEST_F(InitTest, RefusesABrokenConfiguration) {
    for (const char* text :
         {"", "arg %4\n", "arg true\ntrace relative\n", "arg true\nmount 0:/mnt\n",
          "arg true\nmount 99:ro:/mnt\n", "arg true\nroot 1:rx\n", "arg true\nimage ext4\n",
          "arg true\nroot 0:ro\nimage \n", "arg true\nroot 0:ro\nimage /dev/sda\n",
          "arg true\nmodule loop.ko\n", "arg true\nuser nobody\n", "arg true\nnonsense 1\n"}) {
        start(text);
        EXPECT_EQ(exit_status(pid_), 1) << text;
    }
}

}  // namespace
}  // namespace farcall::test
