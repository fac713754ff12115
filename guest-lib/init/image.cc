// SPDX-License-Identifier: MIT
#include "guest-lib/init/image.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

namespace farcall::init {

namespace {

/// How often, with a pause between, something that processes were using a moment ago is tried.
constexpr int kAttempts = 200;
constexpr int kPauseUs = 10'000;

[[noreturn]] void fail(const std::string& what, int error) {
    throw std::runtime_error(what + ": " + std::strerror(error));
}

/// A descriptor that closes itself.
class Opened {
  public:
    Opened(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {
        if (fd_ < 0) fail("can't open " + path, errno);
    }
    ~Opened() { ::close(fd_); }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

void end_processes() {
    ::kill(-1, SIGKILL);
    for (int attempt = 0; attempt < kAttempts; attempt++) {
        pid_t pid = 0;
        while ((pid = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
        }
        if (pid < 0) return;
        ::usleep(kPauseUs);
    }
}

}  // namespace

std::string attach_image(const std::string& file, bool writable) {
    const int access = writable ? O_RDWR : O_RDONLY;
    const Opened image(file, access);
    const Opened control("/dev/loop-control", O_RDWR);
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) fail("no loop device", errno);
    std::string path = "/dev/loop" + std::to_string(number);
    const Opened device(path, access);
    loop_config config{};
    config.fd = static_cast<__u32>(image.get());
    // Direct: a request is one call, however long, where it would be one for each page. Nothing is kept twice
    // either way, since the file system farcall has no cache.
    config.info.lo_flags = LO_FLAGS_DIRECT_IO | (writable ? 0u : static_cast<unsigned>(LO_FLAGS_READ_ONLY));
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) < 0) fail("can't attach the image to " + path, errno);
    return path;
}

void settle_image(const std::string& device) {
    end_processes();
    {
        const Opened root("/", O_RDONLY | O_DIRECTORY);
        if (::syncfs(root.get()) < 0) fail("can't write to the image", errno);
    }
    // The root can't be unmounted; for what is in the image, this is the same. A descriptor that a process
    // left in the kernel's hands (io_uring, a message under way) may take a moment to close.
    constexpr unsigned long kFlags = MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV;
    int attempt = 0;
    while (::mount(nullptr, "/", nullptr, kFlags, nullptr) < 0) {
        if (errno != EBUSY || ++attempt == kAttempts) fail("can't finish the image", errno);
        ::usleep(kPauseUs);
    }
    const Opened disk(device, O_RDONLY);
    if (::fsync(disk.get()) < 0) fail("can't write to the image", errno);
}

}  // namespace farcall::init
