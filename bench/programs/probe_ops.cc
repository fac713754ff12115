// SPDX-License-Identifier: MIT
#include "bench/programs/probe_ops.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <vector>

namespace farcall::probe {
namespace {

// The same for every system: larger than what the processor caches, small enough for a guest's memory.
constexpr uint64_t kFileBytes = 16 << 20;

long checked(long result, const std::string& what) {
    if (result < 0) throw std::runtime_error(what + ": " + std::strerror(errno));
    return result;
}

// Forgets what the guest's kernel knows of names and their attributes, so that what follows asks the host.
// Only root may.
void drop_caches() {
    const int fd = static_cast<int>(checked(open("/proc/sys/vm/drop_caches", O_WRONLY), "drop_caches"));
    const bool good = write(fd, "2", 1) == 1;
    close(fd);
    if (!good) throw std::runtime_error("drop_caches");
}

class FileOperation : public Operation {
  public:
    explicit FileOperation(const Request& request)
        : memory_(request.bytes + kPage, 'x'), bytes_(request.bytes) {
        // At the start of a page, as large buffers mostly are: 9p takes a request more where one begins in
        // the middle.
        void* start = memory_.data();
        size_t space = memory_.size();
        buffer_ = static_cast<char*>(std::align(kPage, bytes_, start, space));
        if (request.bytes == 0 || kFileBytes % request.bytes)
            throw std::runtime_error("not a part of the file");
        const std::string path = request.directory + "/data";
        write_ = request.op.ends_with("write");
        random_ = request.op.starts_with("rand");
        fd_ = static_cast<int>(checked(open(path.c_str(), O_RDWR | O_CREAT, 0644), path));
        fill();
    }
    ~FileOperation() override { close(fd_); }
    FileOperation(const FileOperation&) = delete;
    FileOperation& operator=(const FileOperation&) = delete;

    void once(uint64_t n) override {
        const uint64_t blocks = kFileBytes / bytes_;
        ssize_t moved = 0;
        if (random_) {
            // Numerical Recipes' generator: the same order everywhere.
            state_ = state_ * 6364136223846793005U + 1442695040888963407U;
            const auto at = static_cast<off_t>((state_ >> 33) % blocks * bytes_);
            moved = write_ ? pwrite(fd_, buffer_, bytes_, at) : pread(fd_, buffer_, bytes_, at);
        } else {
            if (n % blocks == 0) lseek(fd_, 0, SEEK_SET);
            moved = write_ ? write(fd_, buffer_, bytes_) : read(fd_, buffer_, bytes_);
        }
        if (moved != static_cast<ssize_t>(bytes_)) throw std::runtime_error("a short transfer");
    }

  private:
    // Once for all operations: so what the guest's kernel keeps of a file, it has of this one.
    void fill() const {
        struct stat found;
        checked(fstat(fd_, &found), "fstat");
        if (found.st_size == static_cast<off_t>(kFileBytes)) return;
        const std::vector<char> block(1 << 20, 'y');
        for (uint64_t at = 0; at < kFileBytes; at += block.size())
            checked(pwrite(fd_, block.data(), block.size(), static_cast<off_t>(at)), "filling");
    }

    static constexpr size_t kPage = 4096;
    std::vector<char> memory_;
    char* buffer_;
    uint64_t bytes_;
    uint64_t state_ = 1;
    int fd_ = -1;
    bool write_ = false;
    bool random_ = false;
};

// One file an operation, each by a name of its own.
class NameOperation : public Operation {
  public:
    explicit NameOperation(const Request& request) : op_(request.op), count_(request.count) {
        prefix_ = request.directory + "/names";
        remove_all();
        checked(mkdir(prefix_.c_str(), 0755), prefix_);
        prefix_ += "/n";
        for (uint64_t n = 0; op_ != "create" && n < count_; n++)
            create(n);
        if (op_ != "restat" && request.rest != "warm") drop_caches();
        for (uint64_t n = 0; op_ == "restat" && n < count_; n++)
            look_at(n);
    }
    ~NameOperation() override { remove_all(); }
    NameOperation(const NameOperation&) = delete;
    NameOperation& operator=(const NameOperation&) = delete;

    void once(uint64_t n) override {
        if (op_ == "create")
            create(n);
        else if (op_ == "unlink")
            checked(unlink(name(n).c_str()), "unlink");
        else
            look_at(n);
    }

  private:
    void look_at(uint64_t n) const {
        struct stat found;
        checked(stat(name(n).c_str(), &found), "stat");
    }
    std::string name(uint64_t n) const { return prefix_ + std::to_string(n); }
    void create(uint64_t n) const {
        close(static_cast<int>(checked(open(name(n).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644), "create")));
    }
    void remove_all() const {
        const std::string directory = prefix_.substr(0, prefix_.rfind("/names") + 6);
        for (uint64_t n = 0; n < count_; n++)
            unlink((directory + "/n" + std::to_string(n)).c_str());
        rmdir(directory.c_str());
    }

    std::string op_;
    std::string prefix_;
    uint64_t count_;
};

// A TCP connection that is made, and ended by the peer, with nothing sent: rest is ADDRESS PORT.
class ConnectOperation : public Operation {
  public:
    explicit ConnectOperation(const Request& request) {
        const size_t space = request.rest.find(' ');
        peer_.sin_family = AF_INET;
        if (space == std::string::npos ||
            inet_pton(AF_INET, request.rest.substr(0, space).c_str(), &peer_.sin_addr) != 1)
            throw std::runtime_error("connect needs an address and a port");
        peer_.sin_port = htons(static_cast<uint16_t>(std::stoi(request.rest.substr(space + 1))));
    }
    void once(uint64_t) override {
        const int fd = static_cast<int>(checked(socket(AF_INET, SOCK_STREAM, 0), "socket"));
        const int failed = connect(fd, reinterpret_cast<const sockaddr*>(&peer_), sizeof peer_) ? errno : 0;
        char byte;
        // Its end: the peer closes first, so that its side keeps the port in TIME_WAIT and ours stays free.
        const bool good = !failed && read(fd, &byte, 1) == 0;
        close(fd);
        if (!good) throw std::runtime_error(std::string("connect: ") + std::strerror(failed));
    }

  private:
    sockaddr_in peer_{};
};

// A load from a register of a PCI device that has no driver: the shortest way out to the monitor and back.
// rest is its directory in /sys. (A port would be shorter still, but the rig's emulator has no ports for user
// mode.)
class ExitOperation : public Operation {
  public:
    explicit ExitOperation(const Request& request) {
        const int enable =
            static_cast<int>(checked(open((request.rest + "/enable").c_str(), O_WRONLY), request.rest));
        checked(write(enable, "1", 1), "enabling the device");
        close(enable);
        const int fd =
            static_cast<int>(checked(open((request.rest + "/resource0").c_str(), O_RDWR), request.rest));
        registers_ = mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (registers_ == MAP_FAILED) throw std::runtime_error("the device's registers cannot be mapped");
    }
    ~ExitOperation() override { munmap(registers_, kBytes); }
    ExitOperation(const ExitOperation&) = delete;
    ExitOperation& operator=(const ExitOperation&) = delete;
    void once(uint64_t) override { *static_cast<volatile const uint8_t*>(registers_); }

  private:
    static constexpr size_t kBytes = 4096;
    void* registers_;
};

// A thousand nanoseconds without a system call: what a guest costs that does nothing but compute.
class SpinOperation : public Operation {
  public:
    void once(uint64_t) override {
        const uint64_t until = now_ns() + 1000;
        while (now_ns() < until) {
        }
    }
};

// A shell command; its output is for whoever looks into DIR.
class CommandOperation : public Operation {
  public:
    explicit CommandOperation(const Request& request)
        : command_("cd '" + request.directory + "' && { " + request.rest + "; } >command.log 2>&1") {}
    void once(uint64_t) override {
        const int status = std::system(command_.c_str());
        if (status != 0) throw std::runtime_error("status " + std::to_string(status) + " of: " + command_);
    }

  private:
    std::string command_;
};

}  // namespace

uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000U + static_cast<uint64_t>(now.tv_nsec);
}

std::unique_ptr<Operation> make_operation(const Request& request) {
    const std::string& op = request.op;
    if (op == "seqread" || op == "seqwrite" || op == "randread" || op == "randwrite")
        return std::make_unique<FileOperation>(request);
    if (op == "create" || op == "stat" || op == "restat" || op == "unlink")
        return std::make_unique<NameOperation>(request);
    if (op == "connect") return std::make_unique<ConnectOperation>(request);
    if (op == "exit") return std::make_unique<ExitOperation>(request);
    if (op == "spin") return std::make_unique<SpinOperation>();
    if (op == "run") return std::make_unique<CommandOperation>(request);
    throw std::runtime_error("no such op: " + op);
}

}  // namespace farcall::probe
