// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vmm/guest_files.h"
#include "vmm/initramfs.h"

namespace farcall::vmm {

struct TerminalSize {
    unsigned rows = 24;
    unsigned columns = 80;
};

/// A share as a file system of the guest.
struct GuestMount {
    unsigned share = 0;
    bool writable = false;
    std::string where;        ///< absolute
    unsigned timeout_ms = 0;  ///< how long the guest believes what it knows of a name
};

/// Of what shares the guest's files are made.
struct GuestTree {
    std::vector<GuestMount> mounts;  ///< in the order in which they are mounted
    bool host_root = false;          ///< /usr is a share, /etc this machine's, as far as all may read it
    std::optional<GuestMount> root;  ///< the root file system is that share
    std::string root_directory;      ///< ... and this directory of this machine, or
    std::string root_image;          ///< ... a file with a file system of this type
};

/// What the guest is to run, and with what.
struct GuestCommand {
    std::vector<std::string>
        arguments;  ///< the first is a program of this machine: a path, or a name in PATH
    std::vector<std::string> environment;  ///< NAME=VALUE, on top of PATH, HOME and so on
    std::string directory = "/";
    unsigned user = 1000;
    unsigned group = 1000;
    std::optional<TerminalSize> terminal;  ///< run it on a pseudo-terminal
    bool keep_log = false;                 ///< copy the kernel log to FC_HANDLE_LOG
    std::vector<std::string> additions;    ///< HOSTPATH or HOSTPATH:GUESTPATH
    std::string base;                      ///< an archive to start from, or empty
    GuestTree tree;
    bool preload = false;  ///< run the command with GuestFiles::preload
    bool network = false;  ///< ... with sockets of the module
    bool trace = false;    ///< ... which prints each offloaded call
    bool summary = false;  ///< ... and a table of calls when a program ends
};

/// The initial RAM disk of a guest that runs `command`: init, module, configuration, a small root file
/// system, the command with its libraries, a static busybox where this machine has one. Throws
/// farcall::Error.
Initramfs make_guest_image(const GuestFiles& files, const GuestCommand& command);

/// `text` with everything percent-encoded that is white space, a control byte or a percent sign:
/// <farcall/init.h>.
std::string percent_encode(const std::string& text);

}  // namespace farcall::vmm
