// SPDX-License-Identifier: MIT
#include "bench/boot_bench.h"

#include <unistd.h>

#include <fstream>
#include <functional>
#include <map>

#include "bench/host_client.h"
#include "bench/proc_text.h"
#include "bench/scratch.h"
#include "bench/spawned.h"
#include "bench/stats.h"
#include "host-lib/error.h"
#include "vmm/guest_files.h"
#include "vmm/initramfs.h"
#include "vmm/probe.h"

namespace farcall::bench {
namespace {

constexpr Extent kQuick{2, 60};
constexpr Extent kFull{20, 600};
constexpr double kTicksPerNs = 1e-3;  // samples are µs: an emulated boot has more ns than fit
constexpr double kPatience = 150;
constexpr const char* kBusybox = "/bin/busybox";
constexpr const char* kQuickBoot =
    "console=ttyS0 quiet panic=-1 reboot=t tsc=reliable no_timer_check i8042.nokbd i8042.noaux "
    "8250.nr_uarts=1 nokaslr";
constexpr const char* kQemu = "qemu-system-x86_64";

uint32_t micros(std::chrono::steady_clock::duration time) {
    return bench_sample(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count()));
}

/// One kind of monitor, with one kernel.
struct Monitor {
    std::string name;
    std::vector<std::string> words;
};

std::vector<std::string> farcall_words(const std::string& guest) {
    return {"/proc/self/exe", "run", "--root", "packed",  "--guest", guest,
            "--timeout",      "140", "--",     "/bin/sh", "-c",      "echo ready; read line"};
}

/// What QEMU's guest starts: the same shell, and nothing else.
void write_initramfs(const std::string& path) {
    vmm::Initramfs archive;
    archive.add_host_file("/bin/busybox", 0755, kBusybox);
    archive.add_symlink("/bin/sh", "busybox");
    archive.add_character_device("/dev/console", 0600, 5, 1);
    archive.add_file("/init", 0755, "#!/bin/sh\necho ready\nread line\n/bin/busybox poweroff -f\n");
    std::vector<std::byte> bytes(archive.bytes());
    archive.write(bytes);
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) throw errno_error("cannot write " + path);
}

std::vector<std::string> qemu_words(const std::string& kernel, const std::string& initramfs) {
    // clang-format off
    return {kQemu, "-accel", "kvm", "-cpu", "host", "-M", "microvm,pit=off,pic=off,rtc=on", "-m", "512M",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
            "-kernel", kernel, "-initrd", initramfs, "-append", kQuickBoot};
    // clang-format on
}

std::string no_qemu() {
    if (access(kBusybox, X_OK) < 0) return "no /bin/busybox: Debian's package busybox-static";
    const char* path = std::getenv("PATH");
    std::string directories = path == nullptr ? "/usr/bin" : path;
    for (size_t begin = 0; begin <= directories.size();) {
        const size_t end = std::min(directories.find(':', begin), directories.size());
        if (access((directories.substr(begin, end - begin) + "/" + kQemu).c_str(), X_OK) == 0) return "";
        begin = end + 1;
    }
    return "no qemu-system-x86_64: Debian's package qemu-system-x86";
}

class BootBench {
  public:
    explicit BootBench(Results& results) : results_(results) {
        const std::string reason = no_qemu();
        if (reason.empty()) write_initramfs(initramfs());
        for (const std::string& guest : vmm::guest_names()) {
            const vmm::GuestFiles files = vmm::find_guest_files(guest);
            if (!files.complete()) {
                results_.skip("boot_" + guest, vmm::describe_missing(files));
                continue;
            }
            machines_.push_back({"farcall_" + guest, farcall_words(guest)});
            if (reason.empty())
                machines_.push_back({"microvm_" + guest, qemu_words(files.kernel, initramfs())});
            guests_.push_back(guest);
        }
        if (!reason.empty()) results_.skip("microvm", reason);
    }

    void round() {
        for (const Monitor& machine : machines_)
            boot(machine);
    }

    void add_ratios() {
        for (const std::string& guest : guests_) {
            const std::string ours = "farcall_" + guest, theirs = "microvm_" + guest;
            results_.add_ratio("boot_" + theirs, "boot_" + ours, "more than 1: ours is sooner");
            if (others_.contains(theirs) && others_.contains(ours))
                results_.add_ratio_value("memory beside the guest's, " + theirs + " : " + ours,
                                         median(others_[theirs]) / median(others_[ours]), "> 1");
        }
    }

    /// KiB, medians.
    std::vector<std::pair<std::string, uint64_t>> memory() const {
        std::vector<std::pair<std::string, uint64_t>> out;
        for (const auto& [name, bytes] : others_)
            out.emplace_back("kib_beside_guest_" + name, static_cast<uint64_t>(median(bytes) / 1024));
        for (const auto& [name, bytes] : guest_)
            out.emplace_back("kib_of_guest_" + name, static_cast<uint64_t>(median(bytes) / 1024));
        return out;
    }

  private:
    std::string initramfs() const { return directory_.path() + "/initramfs"; }

    void boot(const Monitor& machine) {
        const auto start = std::chrono::steady_clock::now();
        Spawned monitor(machine.words);
        monitor.await("ready", kPatience);
        results_.add("boot_" + machine.name, {micros(std::chrono::steady_clock::now() - start)});
        const Footprint footprint =
            parse_smaps(proc_text("/proc/" + std::to_string(monitor.pid()) + "/smaps"));
        if (footprint.guest_bytes == 0) {
            results_.skip("memory of " + machine.name, "this user may not look at its mappings");
        } else {
            others_[machine.name].push_back(static_cast<double>(footprint.other_bytes));
            guest_[machine.name].push_back(static_cast<double>(footprint.guest_bytes));
        }
        const auto end = std::chrono::steady_clock::now();
        monitor.say("\n");
        if (const int status = monitor.finish(kPatience); status != 0)
            throw Error(machine.name + " ended with status " + std::to_string(status));
        results_.add("end_" + machine.name, {micros(std::chrono::steady_clock::now() - end)});
    }

    Results& results_;
    const ScratchDirectory directory_;
    std::vector<Monitor> machines_;
    std::vector<std::string> guests_;
    std::map<std::string, std::vector<double>> others_, guest_;
};

}  // namespace

std::string boot_unavailable() {
    try {
        vmm::require_guest_kernels();
    } catch (const Error& error) {
        return error.what();
    }
    const vmm::GuestFiles files = vmm::find_default_guest();
    return files.complete() ? "" : vmm::describe_missing(files);
}

Report measure_boot(const Options& options) {
    Run run("boot", options, kTicksPerNs);
    Report& report = run.report();
    BootBench bench(report.results);
    run.repeat(options.quick ? kQuick : kFull, [&] { bench.round(); });
    report.counters = bench.memory();
    return run.finish([&] { bench.add_ratios(); });
}

}  // namespace farcall::bench
