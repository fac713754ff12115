// SPDX-License-Identifier: MIT
// The monitor's system-call filter must let every op through: each runs in a child process that has locked
// itself in.
#include "vmm/sandbox.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <optional>

#include "host-lib/stats_server.h"
#include "tests/file_client.h"
#include "tests/socket_client.h"

namespace farcall::test {
namespace {

// 0, or the number of the step that failed.
int run_name_ops(TestClient& client) {
    FileClient files(client);
    fc_statx statx;
    std::string target;
    if (files.mkdir(0, "dir") != 0) return 20;
    if (files.symlink("file", 0, "link") != 0) return 21;
    if (files.readlink(0, "link", 100, &target) != 4 || target != "file") return 22;
    if (files.link(0, "file", 0, "dir/hard") != 0) return 23;
    if (files.statx(0, "dir/hard", 0, &statx) != 0 || statx.stat.links != 2) return 24;
    if (files.rename(0, "dir/hard", 0, "renamed") != 0) return 25;
    if (files.getdents(0, 0, 4096) <= 0) return 26;
    if (files.unlink(0, "renamed") != 0 || files.unlink(0, "dir", FC_UNLINK_DIRECTORY) != 0) return 27;
    const int in = files.open(0, "file", FC_OPEN_READ | FC_OPEN_WRITE);
    const int out = files.open(0, "copy", FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_CREATE);
    if (in < 0 || out < 0) return 28;
    const auto from = static_cast<uint32_t>(in), to = static_cast<uint32_t>(out);
    if (files.copy(from, 0, to, 0, 300000) != 300000) return 29;
    if (files.copy(from, FC_OFFSET_CURRENT, to, FC_OFFSET_CURRENT, 100) != 100) return 30;
    if (files.ftruncate(to, 10) != 0) return 31;
    if (files.fallocate(to, FC_FALLOCATE_KEEP_SIZE, 0, 8192) != 0) return 32;
    const std::vector<fc_iov> pieces{{FileClient::kData, 0, 3}, {FileClient::kData + 100, 0, 4}};
    if (files.run(files.vector_command(FC_OP_WRITEV, to, 0, pieces)) != 7) return 33;
    if (files.run(files.vector_command(FC_OP_READV, to, 0, pieces)) != 7) return 34;
    return files.getdents(to, 0, 4096) == -ENOTDIR ? 0 : 35;
}

// The same for attributes; whether the file system has extended ones is not the question.
int run_attribute_ops(TestClient& client) {
    FileClient files(client);
    fc_setattr wanted{};
    wanted.valid = FC_SETATTR_MODE | FC_SETATTR_SIZE | FC_SETATTR_MTIME;
    wanted.mode = 0600;
    wanted.size = 5000;
    if (files.setattr(0, "copy", wanted) != 0) return 40;
    fc_statfs statfs;
    if (files.statfs(0, &statfs) != 0) return 41;
    if (files.mknod(0, "node", S_IFIFO | 0600) != 0) return 42;
    if (files.seek(files.must_open(0, "copy", FC_OPEN_READ), 0, FC_SEEK_DATA) < 0) return 43;
    std::string text;
    for (const int result :
         {files.setxattr(0, "copy", "user.a", "b"), files.getxattr(0, "copy", "user.a", 10, &text),
          files.listxattr(0, "copy", 100, &text), files.removexattr(0, "copy", "user.a")})
        if (result < 0 && result != -EOPNOTSUPP) return 44;
    return 0;
}

// Exit status: 0, or the number of the step that failed.
int run_ops(const std::string& directory, bool in_memory, IoBackend io) {
    Engine engine(EngineConfig{.io = io, .spin = std::chrono::microseconds(20)});
    DomainConfig config;
    config.shares.push_back({directory, true});
    auto domain = engine.create_domain(config);
    TestClient client(*domain);
    vmm::drop_privileges(true);
    vmm::restrict_system_calls(false);
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0) return 1;  // the filter is there

    memcpy(client.arena(), "file", 4);
    fc_command open = transfer(FC_OP_OPEN, 1, 0, 0644, 0, 4);
    open.op_flags = FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_CREATE;
    for (int i = 0; i < 2; i++) {  // creates it, then finds it
        const int handle = client.run(open).result;
        if (handle < 0) return 2;
        const auto h = static_cast<uint32_t>(handle);
        if (client.run(transfer(FC_OP_WRITE, 2, h, 0, 0, 300000)).result != 300000) return 3;
        if (client.run(transfer(FC_OP_READ, 3, h, 0, 4096, 300000)).result != 300000) return 4;
        if (client.run(transfer(FC_OP_READ, 3, h, 0, 4096, 100)).result != 100) return 5;
        if (client.run(transfer(FC_OP_STAT, 4, h, 0, 4096, sizeof(fc_stat))).result != 0) return 6;
        fc_command c{};
        c.handle = h;
        c.opcode = FC_OP_FSYNC;
        if (client.run(c).result != 0) return 7;
        c.opcode = FC_OP_CLOSE;
        if (client.run(c).result != 0) return 8;
    }
    // Two opens and two long transfers each: the filter must not hide from the engine that the files are in
    // memory.
    if (in_memory && engine.stats().pool_jobs > 6) return 11;
    if (const int step = run_name_ops(client)) return step;
    if (const int step = run_attribute_ops(client)) return step;
    fc_command timer{};
    timer.opcode = FC_OP_TIMER;
    timer.offset = 20000000;
    if (client.run(timer).result != 0) return 9;
    return client.destroy().status == 0 ? 0 : 10;
}

// The same for sockets. Runs the ops that make system calls of their own, and a stranger's datagram.
int run_socket_ops(const std::string& directory) {
    const UniqueFd stranger(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    Engine engine(EngineConfig{.spin = std::chrono::microseconds(20)});
    DomainConfig config;
    config.shares.push_back({directory, true});
    config.net.allow = {{NetProtocol::kTcp, ip("127.0.0.0"), 8, 0, 65535},
                        {NetProtocol::kUdp, ip("127.0.0.1"), 32, 9, 9}};
    config.net.unix_sockets = true;
    publish_range(config.net, "127.0.0.1");
    auto domain = engine.create_domain(config);
    SocketClient client(*domain);
    vmm::drop_privileges(true);
    vmm::restrict_system_calls(true);
    if (socket(AF_NETLINK, SOCK_RAW, 0) >= 0 || socket(AF_PACKET, SOCK_RAW, 0) >= 0) return 1;
    uint32_t a, b;
    client.connected_pair(&a, &b);
    if (client.send(a, "data") != 4 || client.recv(b) != "data") return 2;
    if (client.simple(FC_OP_POLL, a, POLLOUT) != POLLOUT) return 3;
    if (client.simple(FC_OP_SHUTDOWN, a, SHUT_WR) != 0) return 4;
    if (client.get_option(a, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) return 5;
    if (client.run(client.with_memory(client.command(FC_OP_GETPEERNAME, a), SocketClient::kData, 128))
            .result != 16)
        return 6;
    const uint32_t udp = client.must(client.socket(AF_INET, SOCK_DGRAM));
    if (client.send_to(udp, address_of("127.0.0.1", 9), "x") != 1) return 7;
    const Bytes own = address_of("127.0.0.1", client.bound_port(udp));
    iovec piece{const_cast<char*>("x"), 1};
    msghdr message{};
    message.msg_name = const_cast<std::byte*>(own.data());
    message.msg_namelen = 16;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (sendmsg(stranger.get(), &message, 0) != 1) return 8;
    static_cast<void>(client.recv(udp, 100, FC_MSG_DONTWAIT));  // what the send brought back, if anything
    if (client.recv(udp, 100, FC_MSG_DONTWAIT) != std::to_string(-EAGAIN)) return 9;
    const uint32_t server = client.must(client.socket(AF_UNIX, SOCK_STREAM));
    if (client.bind(server, unix_address("server")) != 0 || client.simple(FC_OP_LISTEN, server, 1) != 0)
        return 10;
    const uint32_t local = client.must(client.socket(AF_UNIX, SOCK_STREAM));
    if (client.connect(local, unix_address("server")) != 0) return 11;
    return client.simple(FC_OP_CLOSE, local) == 0 && !testing::Test::HasFailure() ? 0 : 12;
}

TEST(Sandbox, SocketOpsStillWork) {
    const TempDir dir;
    const pid_t child = fork();
    if (child == 0) _exit(run_socket_ops(dir.path().string()));
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "the step of that number failed";
}

TEST(Sandbox, EveryOpStillWorks) {
    // kAuto is io_uring where this machine has it.
    for (int i = 0; i < 6; i++) {
        const char* where = std::array{"/tmp", "/dev/shm", "/var/tmp"}[i % 3];
        const IoBackend io = i < 3 ? IoBackend::kAuto : IoBackend::kPool;
        std::string pattern = std::string(where) + "/farcall-XXXXXX";
        const std::string directory = mkdtemp(pattern.data());
        const pid_t child = fork();
        if (child == 0) _exit(run_ops(directory, std::string(where) == "/dev/shm", io));
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        std::filesystem::remove_all(directory);
        ASSERT_TRUE(WIFEXITED(status)) << where << ": ended by signal " << WTERMSIG(status);
        EXPECT_EQ(WEXITSTATUS(status), 0) << where << ": the step of that number failed";
    }
}

// Reads the statistics over two connections that were made before. The second is accepted inside the filter.
// Exit status: 0, or the number of the step that failed.
int read_statistics(const std::string& path) {
    const Engine engine(EngineConfig{});
    std::optional<StatsServer> server(std::in_place, engine, path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    UniqueFd readers[2];
    for (UniqueFd& reader : readers) {
        reader.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (connect(reader.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) return 1;
    }
    vmm::drop_privileges(true);
    vmm::restrict_system_calls(false);
    for (UniqueFd& reader : readers) {
        if (write(reader.get(), "stats json\n", 11) != 11) return 2;
        char first = 0;
        if (read(reader.get(), &first, 1) != 1 || first != '{') return 3;
        reader.reset();
    }
    server.reset();
    struct stat status {};
    return stat(path.c_str(), &status) < 0 ? 0 : 4;
}

TEST(Sandbox, StatisticsCanStillBeRead) {
    const TempDir dir;
    const pid_t child = fork();
    if (child == 0) _exit(read_statistics((dir.path() / "control").string()));
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "the step of that number failed";
}

}  // namespace
}  // namespace farcall::test
