// SPDX-License-Identifier: MIT
#include "guest-lib/init/system.h"

#include <farcall/init.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

namespace farcall::init {

namespace {

void complain(const char* what) {
    std::fprintf(stderr, "farcall-init: %s: %s\n", what, std::strerror(errno));
}

struct Mount {
    const char* type;
    const char* where;
    unsigned long flags;
    const char* options;
};

// /tmp is a directory of the initial RAM disk already: a mount would hide a command that was packed from
// there. devtmpfs first: the console of the others' complaints is in it, and cloud kernels don't mount it by
// themselves.
constexpr Mount kMounts[] = {
    {"devtmpfs", "/dev", MS_NOSUID, "mode=0755"},
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr},
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666,gid=5"},
    {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"},
};

void open_console() {
    const int console = ::open("/dev/console", O_RDWR);
    if (console < 0) return;
    for (int fd = 0; fd < 3; fd++) {
        if (console != fd) ::dup2(console, fd);
    }
    if (console > 2) ::close(console);
}

void mount_all() {
    for (const Mount& entry : kMounts) {
        ::mkdir(entry.where, 0755);
        // EBUSY: the kernel has done it.
        if (::mount(entry.type, entry.where, entry.type, entry.flags, entry.options) < 0 && errno != EBUSY) {
            complain(entry.where);
        }
        if (&entry == &kMounts[0]) open_console();
    }
}

void make_links() {
    constexpr const char* kLinks[][2] = {{"/proc/self/fd", "/dev/fd"},
                                         {"/proc/self/fd/0", "/dev/stdin"},
                                         {"/proc/self/fd/1", "/dev/stdout"},
                                         {"/proc/self/fd/2", "/dev/stderr"}};
    for (const auto& link : kLinks) {
        if (::symlink(link[0], link[1]) < 0 && errno != EEXIST) complain(link[1]);
    }
}

void raise_loopback() {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return;  // a kernel without network
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (::ioctl(socket, SIOCSIFFLAGS, &request) < 0) complain("lo");
    ::close(socket);
}

/// What the kernel's command line says to the module: `farcall.policy=none` is its parameter `policy=none`,
/// as for modules that the kernel loads itself.
std::string module_parameters() {
    constexpr std::string_view kPrefix = "farcall.";
    std::ifstream line("/proc/cmdline");
    std::string parameters, word;
    while (line >> word) {
        if (word.starts_with(kPrefix)) parameters += word.substr(kPrefix.size()) + " ";
    }
    return parameters;
}

void load_farcall() {
    const int rc = load_module(FC_INIT_MODULE, module_parameters().c_str());
    errno = -rc;
    if (rc < 0 && rc != -ENOENT) complain(FC_INIT_MODULE);
}

/// The full time slice of event-priority weighting, 20 ms for who has no events, unless its policy is none.
/// EEVDF's own, 0.7 ms on one CPU, is shorter than a tick: whoever had to wait for a few ticks is overdue
/// then, and runs before any handler. Kernels before 6.6 have no such file, and no such problem.
void set_full_slice() {
    constexpr const char* kDebugfs = "/sys/kernel/debug";
    std::string policy;
    std::ifstream("/sys/module/farcall/parameters/policy") >> policy;
    if (policy.empty() || policy == "none") return;
    if (::mount("debugfs", kDebugfs, "debugfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0 &&
        errno != EBUSY)
        return;
    std::ofstream(std::string(kDebugfs) + "/sched/base_slice_ns", std::ios::in) << 20'000'000 << std::flush;
}

// The kernel's default of 8 MiB is for machines shared by many users; here it would refuse a program its
// first buffer.
void raise_locked_memory() {
    struct sysinfo info;
    if (::sysinfo(&info) < 0) return complain("sysinfo");
    const rlim_t half = static_cast<rlim_t>(info.totalram) * info.mem_unit / 2;
    const rlimit limit{half, half};
    if (::setrlimit(RLIMIT_MEMLOCK, &limit) < 0) complain("RLIMIT_MEMLOCK");
}

}  // namespace

int load_module(const char* path, const char* parameters) {
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    const long done = ::syscall(SYS_finit_module, file, parameters, 0);
    const int rc = done < 0 && errno != EEXIST ? -errno : 0;
    ::close(file);
    return rc;
}

void set_up_system() {
    ::umask(022);
    mount_all();
    make_links();
    raise_loopback();
    raise_locked_memory();
    load_farcall();
    set_full_slice();
}

void power_off(const char* reason) {
    std::fprintf(stderr, "farcall-init: %s; turning off\n", reason);
    std::fflush(nullptr);
    ::sync();
    ::reboot(RB_POWER_OFF);
    ::reboot(RB_AUTOBOOT);
    for (;;)
        ::pause();
}

}  // namespace farcall::init
