// SPDX-License-Identifier: MIT
#include "vmm/run_options.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "host-lib/error.h"

namespace farcall::vmm {

namespace {

template <typename T>
bool parse_number(std::string_view text, T& out) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
    return problem == std::errc() && end == text.data() + text.size();
}

std::vector<int> allowed_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cores;
    if (::sched_getaffinity(0, sizeof set, &set) < 0) return cores;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(static_cast<size_t>(i), &set)) cores.push_back(i);
    }
    return cores;
}

// "1,3-5"
std::vector<int> parse_core_list(const std::string& text) {
    std::vector<int> cores;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ',');) {
        const size_t dash = part.find('-');
        int first = 0, last = 0;
        const bool first_ok = parse_number(part.substr(0, dash), first);
        const bool last_ok =
            dash == std::string::npos ? (last = first, true) : parse_number(part.substr(dash + 1), last);
        if (!first_ok || !last_ok || first < 0 || last < first || last >= CPU_SETSIZE) {
            throw Error(fmt::format("--worker-cores: '{}' is not a list of cores such as 2,4-5", text));
        }
        for (int core = first; core <= last; core++)
            cores.push_back(core);
    }
    return cores;
}

}  // namespace

CorePlan plan_cores(const std::string& text, unsigned workers) {
    CorePlan plan;
    if (text == "none") return plan;
    const std::vector<int> allowed = allowed_cores();
    if (text == "auto") {
        // The last cores, as long as one is left for the guest: an emulated guest CPU and a polling worker on
        // one core would take turns of milliseconds.
        if (allowed.size() > workers) plan.workers.assign(allowed.end() - workers, allowed.end());
    } else {
        plan.workers = parse_core_list(text);
        for (const int core : plan.workers) {
            if (std::find(allowed.begin(), allowed.end(), core) == allowed.end()) {
                throw Error(fmt::format("--worker-cores: this process may not use core {}", core));
            }
        }
        if (plan.workers.size() > workers) plan.workers.resize(workers);
    }
    for (const int core : allowed) {
        if (std::find(plan.workers.begin(), plan.workers.end(), core) == plan.workers.end())
            plan.vcpus.push_back(core);
    }
    return plan;
}

void parse_user(const std::string& text, unsigned& user, unsigned& group) {
    const size_t colon = text.find(':');
    const bool user_ok = parse_number(text.substr(0, colon), user);
    const bool group_ok =
        colon == std::string::npos ? (group = user, true) : parse_number(text.substr(colon + 1), group);
    if (!user_ok || !group_ok) throw Error(fmt::format("--user: '{}' is not UID:GID in numbers", text));
}

GuestFiles choose_guest(const RunOptions& options) {
    GuestFiles files = options.guest.empty() ? find_default_guest() : find_guest_files(options.guest);
    if (!options.kernel.empty()) files.kernel = options.kernel;
    if (!options.module.empty()) files.module = options.module;
    if (!files.complete()) throw Error(describe_missing(files));
    return files;
}

bool in_rig() {
    const char* told = std::getenv("FARCALL_RIG");
    if (told != nullptr && *told != '\0') return std::strcmp(told, "0") != 0;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    constexpr unsigned kHypervisorLeaf = 0x40000000, kHypervisorBit = 1u << 31;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & kHypervisorBit) == 0) return false;
    __cpuid(kHypervisorLeaf, eax, ebx, ecx, edx);
    char name[12];
    std::memcpy(name, &ebx, 4);
    std::memcpy(name + 4, &ecx, 4);
    std::memcpy(name + 8, &edx, 4);
    return std::memcmp(name, "TCGTCGTCGTCG", sizeof name) == 0;
}

std::string kernel_command_line(const RunOptions& options) {
    // A reboot must end the VM: triple fault is the shortest way. noautogroup: weights mean something only
    // without it.
    std::string line = "console=ttyS0 panic=-1 reboot=t noautogroup 8250.nr_uarts=1 random.trust_cpu=on";
    if (!options.console) line += " quiet";
    // There each exit costs tens of microseconds, and TCG's timers mislead the kernel's checks of them.
    // Sleeping costs as much more, so it pays to look for longer.
    if (in_rig())
        line +=
            " tsc=reliable no_timer_check nokaslr mitigations=off farcall.spin_us=3000 "
            "farcall.spin_max_us=10000";
    if (!options.append.empty()) line += " " + options.append;
    return line;
}

}  // namespace farcall::vmm
