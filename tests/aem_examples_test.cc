// SPDX-License-Identifier: MIT
// The example programs of the event API, as processes of their own.
#include "tests/aem_rig.h"

namespace farcall::test {
namespace {

/// A program that was started with FARCALL set to the host, and its standard output.
class Program {
  public:
    Program(const LocalNetHost& host, const std::vector<std::string>& arguments) {
        int ends[2];
        EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
        pid_ = fork();
        if (pid_ == 0) {
            dup2(ends[1], 1);
            setenv("FARCALL", host.where().c_str(), 1);
            std::vector<char*> argv;
            for (const std::string& argument : arguments)
                argv.push_back(const_cast<char*>(argument.c_str()));
            argv.push_back(nullptr);
            execv(argv[0], argv.data());
            _exit(127);
        }
        close(ends[1]);
        out_.reset(fdopen(ends[0], "r"));
    }
    ~Program() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }
    std::string line() {
        char text[256] = {};
        if (fgets(text, sizeof(text), out_.get()) == nullptr) return "(the end)";
        return std::string(text, strcspn(text, "\n"));
    }
    int wait() { return exit_status(std::exchange(pid_, -1)); }

  private:
    struct Close {
        void operator()(FILE* file) const { fclose(file); }
    };
    pid_t pid_ = -1;
    std::unique_ptr<FILE, Close> out_;
};

/// A port of the published range.
uint16_t some_port() {
    NetConfig config;
    publish_range(config, "127.0.0.1");
    return static_cast<uint16_t>(config.publish[0].first_port + 7);
}

TEST(AemExamples, EchoServer) {
    LocalNetHost host;
    Program server(host, {FARCALL_AEM_ECHO, std::to_string(some_port())});
    ASSERT_EQ(server.line(), "ready");
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 10; i++)
        clients.push_back(connect_to(some_port()));
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < clients.size(); i++) {
            const std::string text(1 + 997 * i, static_cast<char>('a' + round));
            send_all(clients[i].get(), text);
            EXPECT_EQ(receive(clients[i].get(), text.size()), text);
        }
    }
    clients.clear();
    // It has closed its ends, and serves on.
    const UniqueFd again = connect_to(some_port());
    send_all(again.get(), "still there?");
    EXPECT_EQ(receive(again.get(), 12), "still there?");
}

TEST(AemExamples, PeriodicTimer) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP()
        << "NOT TESTED: under TSan signals wait for a call that it intercepts, and this program makes none";
#endif
    LocalNetHost host;
    Program timer(host, {FARCALL_AEM_TIMER, "5", "10"});
    std::string last;
    for (std::string line = timer.line(); line.starts_with("tick "); line = timer.line())
        last = line;
    EXPECT_GE(std::stoi(last.substr(5)), 10);
    EXPECT_EQ(timer.wait(), 0);
}

/// A client of the line server.
class Lines {
  public:
    explicit Lines(uint16_t port) : fd_(connect_to(port)) {}
    void send(const std::string& text) { send_all(fd_.get(), text); }
    void say(const std::string& text) { send(text + "\n"); }
    std::string hear() {
        std::string out;
        for (std::string c = receive(fd_.get(), 1); c != "\n"; c = receive(fd_.get(), 1)) {
            if (c.empty()) return out + "(the end)";
            out += c;
        }
        return out;
    }
    std::string ask(const std::string& text) {
        say(text);
        return hear();
    }

  private:
    UniqueFd fd_;
};

TEST(AemExamples, PublishAndSubscribe) {
    LocalNetHost host;
    Program server(host, {FARCALL_AEM_PUBSUB, std::to_string(some_port()), "1"});
    ASSERT_EQ(server.line(), "ready");
    Lines publisher(some_port());
    std::vector<Lines> readers;
    for (int i = 0; i < 30; i++) {
        readers.emplace_back(some_port());
        EXPECT_EQ(readers.back().ask("SUB news"), "OK");
        if (i % 2 == 0) {
            EXPECT_EQ(readers.back().ask("SUB weather"), "OK");
        }
    }
    for (int n = 0; n < 20; n++) {
        EXPECT_EQ(publisher.ask("PUB news number " + std::to_string(n)), "OK");
        if (n % 5 == 0) {
            EXPECT_EQ(publisher.ask("PUB weather rain"), "OK");
        }
    }
    for (size_t i = 0; i < readers.size(); i++) {
        for (int n = 0; n < 20; n++) {
            ASSERT_EQ(readers[i].hear(), "MSG news number " + std::to_string(n));
            if (i % 2 == 0 && n % 5 == 0) {
                ASSERT_EQ(readers[i].hear(), "MSG weather rain");
            }
        }
    }
    EXPECT_EQ(publisher.ask("STATS").substr(0, 15), "OK published 24");
    EXPECT_EQ(readers[0].ask("UNSUB news"), "OK");
    EXPECT_EQ(readers[0].ask("UNSUB news"), "ERR not subscribed");
    EXPECT_EQ(publisher.ask("SING"), "ERR which topic?");
    EXPECT_EQ(publisher.ask("SING a song"), "ERR what?");
    EXPECT_EQ(publisher.ask("SUB " + std::string(64, 'n')), "ERR which topic?");
    // Two commands in one packet, one in two.
    publisher.send("SUB a\nSUB b\nSU");
    EXPECT_EQ(publisher.hear(), "OK");
    EXPECT_EQ(publisher.hear(), "OK");
    EXPECT_EQ(publisher.ask("B c"), "OK");
    Lines flood(some_port());
    flood.say(std::string(5000, 'x'));
    EXPECT_EQ(flood.hear(), "ERR the line is too long");
    readers[1].say("QUIT");
    EXPECT_EQ(readers[1].hear(), "(the end)");
    // Those who say nothing are sent away.
    EXPECT_EQ(readers[2].hear(), "ERR you say nothing");
    EXPECT_EQ(readers[2].hear(), "(the end)");
}

}  // namespace
}  // namespace farcall::test
