// SPDX-License-Identifier: MIT
#include "bench/cores.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "host-lib/error.h"

namespace farcall::bench {
namespace {

bool allowed(const cpu_set_t& set, int core) {
    return core >= 0 && core < CPU_SETSIZE && CPU_ISSET(core, &set);
}

/// Value of the first line of /proc/cpuinfo that starts with `key`.
std::string cpuinfo(const std::string& key) {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const size_t colon = line.find(": ");
        if (colon != std::string::npos && line.compare(0, key.size(), key) == 0)
            return line.substr(colon + 2);
    }
    return "";
}

std::string kvm_kind() {
    const std::string flags = " " + cpuinfo("flags") + " ";
    if (flags.find(" vmx ") != std::string::npos || flags.find(" svm ") != std::string::npos)
        return "hardware";
    if (::access("/sys/module/kvm_pvm", F_OK) == 0) return "software";
    return "unknown";
}

/// What the kernel was told at its start; told nothing, it chooses.
std::string mitigations() {
    std::ifstream file("/proc/cmdline");
    for (std::string word; file >> word;)
        if (word.starts_with("mitigations=")) return word.substr(word.find('=') + 1);
    return "auto";
}

}  // namespace

Cores choose_cores(const std::vector<int>& wanted) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) < 0) throw errno_error("cannot ask for this process's cores");
    if (CPU_COUNT(&set) < 2)
        throw Error("the bench needs two cores, one for each side, and this process may use only one");
    std::vector<int> cores = wanted;
    for (int core = 0; cores.size() < 2; core++)
        if (allowed(set, core)) cores.push_back(core);
    if (wanted.size() == 1 || cores.size() > 2 || cores[0] == cores[1])
        throw Error("--cores takes two different cores, for example --cores 0,1");
    for (int core : cores)
        if (!allowed(set, core))
            throw Error("core " + std::to_string(core) + " is not one that this process may use");
    return {cores[0], cores[1]};
}

void pin_thread(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        throw errno_error("cannot pin to core " + std::to_string(core));
}

Machine describe_machine() {
    Machine machine;
    machine.cpu = cpuinfo("model name");
    utsname name{};
    if (uname(&name) == 0) machine.kernel = name.release;
    machine.kvm = kvm_kind();
    machine.mitigations = mitigations();
    machine.cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
    double load = 0;
    if (getloadavg(&load, 1) == 1) machine.load = load;
    return machine;
}

}  // namespace farcall::bench
