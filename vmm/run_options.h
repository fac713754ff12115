// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "vmm/guest_files.h"
#include "vmm/io_option.h"
#include "vmm/net_option.h"

namespace farcall::vmm {

/// The command line of `farcall run`, as written.
struct RunOptions {
    std::string guest;
    std::string kernel;
    std::string initrd_base;
    std::string module;
    std::string memory = "512M";
    std::string memory_backing = "anon";
    unsigned cpus = 1;
    unsigned workers = 1;
    std::string worker_cores = "auto";
    IoOptions io;
    std::vector<std::string> shares;
    std::string root = "auto";
    NetOptions net;
    std::vector<std::string> additions;
    std::vector<std::string> environment;
    std::string directory = "/";
    std::string user = "1000:1000";
    bool tty = false;
    bool no_tty = false;
    bool console = false;
    std::string kernel_log;
    double timeout = 0;
    std::string append;
    bool stats = false;
    bool trace = false;
    bool summary = false;
    std::string control;
    uint64_t client_rate = 0;
    bool no_probe = false;
    bool no_sandbox = false;
    std::vector<std::string> command;
};

/// Host cores: those of the workers in order (may be shorter: the rest floats), and those left to the vCPUs
/// (empty: any).
struct CorePlan {
    std::vector<int> workers;
    std::vector<int> vcpus;
};

/// The parsers of the option's texts. All throw farcall::Error that names the option.
CorePlan plan_cores(const std::string& text, unsigned workers);
void parse_user(const std::string& text, unsigned& user, unsigned& group);
GuestFiles choose_guest(const RunOptions& options);
std::string kernel_command_line(const RunOptions& options);

/// True in the nested rig, where TCG emulates the CPU: FARCALL_RIG=1, or CPUID says so.
bool in_rig();

}  // namespace farcall::vmm
