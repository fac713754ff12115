// SPDX-License-Identifier: MIT
#include "vmm/doctor_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "host-lib/uring_backend.h"
#include "vmm/guest_files.h"
#include "vmm/probe.h"
#include "vmm/program_packer.h"
#include "vmm/run_options.h"

namespace farcall::vmm {

namespace {

namespace fs = std::filesystem;

/// One line of the report: a place where farcall can run, or something that it needs.
struct Finding {
    std::string name;
    bool works = false;
    bool is_place = true;  ///< counts for the exit status
    std::string text;
};

std::string figures(const KvmProbe& probe) {
    return fmt::format("one instruction takes {:.1f} ns in guest user mode, {:.1f} ns in guest kernel mode",
                       probe.user_ns, probe.kernel_ns);
}

Finding check_kvm(const KvmProbe& probe) {
    Finding finding{"guests on this machine's KVM", probe.runs_guest_kernels(), true, {}};
    if (!probe.usable()) {
        finding.text = probe.problem;
    } else if (finding.works) {
        finding.text = figures(probe);
    } else if (!probe.refused.empty()) {
        finding.text = fmt::format("a software KVM, which cannot run {} in a guest kernel; {}",
                                   fmt::join(probe.refused, ", "), figures(probe));
    } else {
        finding.text = "a software KVM that emulates guest kernels; " + figures(probe);
    }
    return finding;
}

Finding check_bare_guest(const KvmProbe& probe) {
    const bool works = probe.usable() && probe.user_ns > 0;
    return {"bare guest (farcall bench)", works, true,
            works            ? fmt::format("guest user mode at {:.1f} ns per instruction", probe.user_ns)
            : probe.usable() ? "guest user mode does not run"
                             : probe.problem};
}

Finding check_rig() {
    std::vector<std::string> missing;
    if (ProgramPacker::find_program("qemu-system-x86_64").empty()) missing.emplace_back("qemu-system-x86_64");
    if (::access("/usr/lib/qemu/virtiofsd", X_OK) != 0 && ::access("/usr/libexec/virtiofsd", X_OK) != 0) {
        missing.emplace_back("virtiofsd");
    }
    // The rig is a script of the source tree, and its host kernel comes with the guest kernels.
    const fs::path root = fs::path(executable_directory()).parent_path();
    const char* cache = std::getenv("FARCALL_CACHE");
    const fs::path kernels = (cache != nullptr ? fs::path(cache) : root / ".cache") / "kernels";
    std::error_code failed;
    if (!fs::exists(root / "scripts/rig.sh", failed)) missing.emplace_back("scripts/rig.sh (a source tree)");
    if (!fs::exists(kernels / "guest-6.12/vmlinux", failed))
        missing.emplace_back("its kernel (scripts/fetch-kernels.sh)");
    Finding finding{"nested rig (scripts/rig.sh)", missing.empty(), true, {}};
    finding.text = missing.empty() ? "QEMU, virtiofsd and a kernel are there; slow, but real"
                                   : fmt::format("missing: {}", fmt::join(missing, ", "));
    return finding;
}

Finding check_guest(const std::string& name) {
    const GuestFiles files = find_guest_files(name);
    Finding finding{fmt::format("guest kernel {}", name), files.complete(), false, {}};
    finding.text = files.complete() ? fmt::format("{}, {}, {}", files.kernel, files.module, files.init)
                                    : describe_missing(files);
    return finding;
}

Finding check_huge_pages() {
    std::ifstream in("/sys/kernel/mm/transparent_hugepage/enabled");
    std::string line;
    std::getline(in, line);
    const bool works =
        line.find("[always]") != std::string::npos || line.find("[madvise]") != std::string::npos;
    return {"huge pages for guest memory", works, false,
            line.empty() ? "this kernel has none; guest memory costs more page faults" : line};
}

Finding check_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    const int cores = CPU_COUNT(&set);
    return {"a core for the worker", cores > 1, false,
            fmt::format("{} core{} may be used{}", cores, cores == 1 ? "" : "s",
                        cores > 1 ? "" : "; worker and guest will take turns on it")};
}

Finding check_uring() {
    const std::string reason = UringBackend::unavailable();
    return {"io_uring for file I/O", reason.empty(), false,
            reason.empty() ? "works, and can be restricted" : reason + "; threads do it instead"};
}

std::vector<Finding> examine() {
    const KvmProbe probe = probe_kvm();
    std::vector<Finding> findings = {check_kvm(probe),
                                     check_bare_guest(probe),
                                     check_rig(),
                                     {"local transport (farcall serve)", true, true, "needs no KVM"}};
    for (const std::string& name : guest_names())
        findings.push_back(check_guest(name));
    findings.push_back(check_huge_pages());
    findings.push_back(check_cores());
    findings.push_back(check_uring());
    return findings;
}

void print_json(const std::vector<Finding>& findings) {
    nlohmann::json out = nlohmann::json::array();
    for (const Finding& finding : findings) {
        out.push_back({{"name", finding.name},
                       {"works", finding.works},
                       {"kind", finding.is_place ? "place" : "resource"},
                       {"text", finding.text}});
    }
    fmt::print("{}\n", out.dump(2));
}

int doctor(bool json) {
    const std::vector<Finding> findings = examine();
    bool works = false;
    for (const Finding& finding : findings)
        works = works || (finding.is_place && finding.works);
    if (json) {
        print_json(findings);
    } else {
        for (const Finding& finding : findings) {
            fmt::print("{:3} {:32} {}\n", finding.works ? "yes" : "no", finding.name, finding.text);
        }
        if (in_rig())
            fmt::print(
                "    this is the nested rig: figures of exits and interrupts are not those of hardware\n");
    }
    return works ? 0 : 1;
}

}  // namespace

void add_doctor_command(CLI::App& app, int* exit_status) {
    auto json = std::make_shared<bool>(false);
    CLI::App* command =
        app.add_subcommand("doctor", "say where farcall can run on this machine, and why not elsewhere");
    command->add_flag("--json", *json, "as JSON: an array of objects with name, works, kind, text");
    command->callback([json, exit_status] { *exit_status = doctor(*json); });
}

}  // namespace farcall::vmm
