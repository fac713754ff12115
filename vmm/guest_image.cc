// SPDX-License-Identifier: MIT
#include "vmm/guest_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include <farcall/init.h>

#include "host-lib/error.h"
#include "vmm/disk_image.h"
#include "vmm/host_root.h"
#include "vmm/input_file.h"
#include "vmm/program_packer.h"

namespace farcall::vmm {

namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

constexpr const char* kModules = "/farcall/modules";
constexpr const char* kTrace = FC_INIT_RUN "/trace";
constexpr const char* kSummary = FC_INIT_RUN "/summary";
constexpr const char* kPreload = FC_INIT_RUN "/libfarcall-preload.so";
constexpr const char* kLauncher = FC_INIT_RUN "/farcall-exec";

// What a shell script that starts something is likely to want.
constexpr std::array kApplets = {
    "ash",      "awk",     "base64",   "basename", "cat",    "chmod",  "chown",   "clear",     "cmp",
    "cp",       "cut",     "date",     "dd",       "df",     "diff",   "dirname", "dmesg",     "du",
    "echo",     "env",     "expr",     "false",    "find",   "free",   "grep",    "gunzip",    "gzip",
    "head",     "hexdump", "hostname", "id",       "insmod", "kill",   "less",    "ln",        "ls",
    "lsmod",    "md5sum",  "mkdir",    "mkfifo",   "mknod",  "mktemp", "mount",   "mv",        "nc",
    "nice",     "nproc",   "od",       "pgrep",    "pidof",  "pkill",  "printf",  "ps",        "pwd",
    "readlink", "rm",      "rmdir",    "rmmod",    "sed",    "seq",    "sh",      "sha256sum", "sleep",
    "sort",     "stat",    "stty",     "sync",     "tail",   "tar",    "tee",     "test",      "time",
    "top",      "touch",   "tr",       "true",     "tty",    "umount", "uname",   "uniq",      "uptime",
    "vi",       "wc",      "which",    "whoami",   "xargs",  "yes"};

void add_users(Initramfs& image, const GuestCommand& command) {
    std::string users = "root:x:0:0:root:/root:/bin/sh\n", groups = "root:x:0:\n";
    if (command.user != 0)
        users += fmt::format("user:x:{}:{}:user:/tmp:/bin/sh\n", command.user, command.group);
    if (command.group != 0) groups += fmt::format("user:x:{}:\n", command.group);
    if (command.tree.host_root) {
        users += other_entries("/etc/passwd", users);
        groups += other_entries("/etc/group", groups);
    } else {
        users += "nobody:x:65534:65534:nobody:/:/bin/false\n";
        groups += "nogroup:x:65534:\n";
    }
    image.add_file("/etc/passwd", 0644, users);
    image.add_file("/etc/group", 0644, groups);
}

void add_skeleton(Initramfs& image, const GuestCommand& command) {
    if (command.tree.host_root) add_host_configuration(image);
    for (const char* directory : {"/proc", "/sys", "/dev", "/run", "/mnt", "/etc", "/root", "/home", "/var",
                                  "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/farcall"}) {
        image.add_directory(directory);
    }
    image.add_directory("/tmp", 01777);
    for (const char* name : {"bin", "sbin", "lib", "lib64"}) {
        image.add_symlink(fmt::format("/{}", name), fmt::format("usr/{}", name));
    }
    // The kernel opens it for init before anything is mounted.
    image.add_character_device("/dev/console", 0600, 5, 1);
    image.add_character_device("/dev/null", 0666, 1, 3);
    add_users(image, command);
    if (!command.tree.host_root)
        image.add_file("/etc/nsswitch.conf", 0644, "passwd: files\ngroup: files\nhosts: files dns\n");
    image.add_file("/etc/hosts", 0644, "127.0.0.1 localhost\n::1 localhost\n");
}

void add_busybox(Initramfs& image) {
    const std::string busybox = ProgramPacker::find_program("busybox");
    if (busybox.empty()) return;
    const auto needs = read_elf_needs(InputFile(busybox, "program"));
    if (!needs || !needs->interpreter.empty()) return;
    image.add_host_file("/bin/busybox", 0755, busybox);
    for (const char* applet : kApplets)
        image.add_symlink(fmt::format("/bin/{}", applet), "busybox");
}

void add_additions(ProgramPacker& packer, const std::vector<std::string>& additions) {
    for (const std::string& addition : additions) {
        const size_t colon = addition.find(':');
        const std::string host = addition.substr(0, colon);
        std::error_code failed;
        if (host.empty() || !std::filesystem::exists(host, failed)) {
            throw Error(fmt::format("--add: there is no '{}'", host));
        }
        std::string guest = colon == std::string::npos
                                ? std::filesystem::absolute(host).lexically_normal().string()
                                : addition.substr(colon + 1);
        while (guest.size() > 1 && guest.ends_with('/'))
            guest.pop_back();
        if (!guest.starts_with('/'))
            throw Error(fmt::format("--add: '{}' is not an absolute path in the guest", guest));
        packer.add(host, guest);
    }
}

bool is_mounted(const GuestCommand& command, const std::string& path) {
    return std::any_of(command.tree.mounts.begin(), command.tree.mounts.end(),
                       [&](const GuestMount& mount) { return path.starts_with(mount.where + "/"); });
}

// A command that a share, --add or --initrd-base bring need not be on this machine.
std::string add_command(const Initramfs& image, ProgramPacker& packer, const GuestCommand& command) {
    const std::string& name = command.arguments.front();
    const bool absolute = name.starts_with('/');
    if (!command.tree.root_image.empty()) return name;  // for init to find: nobody here looks into an image
    if (command.tree.root) return find_below(command.tree.root_directory, name, kPath);
    if (absolute && (image.contains(name) || is_mounted(command, name))) return name;
    // The guest's PATH, not that of whoever started us, says which program a name is.
    if (command.tree.host_root && name.find('/') == std::string::npos) {
        try {
            return find_below("", name, kPath);
        } catch (const CommandNotFound&) {  // one that lies elsewhere is packed
        }
    }
    if (absolute && !command.base.empty() && ProgramPacker::find_program(name).empty()) return name;
    return packer.add_program(name);
}

std::vector<std::string> needed_modules(const GuestTree& tree) {
    return tree.root_image.empty() ? std::vector<std::string>{} : image_modules(tree.root_image);
}

std::string module_path(const std::string& name) {
    return fmt::format("{}/{}.ko", kModules, name);
}

/// Those of the kernel's own that come with it.
void add_modules(Initramfs& image, const GuestFiles& files, const GuestTree& tree) {
    for (const std::string& name : needed_modules(tree)) {
        const std::filesystem::path file = std::filesystem::path(files.modules) / (name + ".ko");
        std::error_code failed;
        if (files.modules.empty() || !std::filesystem::is_regular_file(file, failed))
            throw Error(
                fmt::format("--root: the module {}.ko of guest kernel {}, which an image with {} needs, "
                            "is not there; scripts/prepare-guest.sh puts it beside the kernel",
                            name, files.name, tree.root_image));
        image.add_host_file(module_path(name), 0644, file);
    }
}

std::string share_text(const GuestMount& mount) {
    return fmt::format("{}:{},timeout={}", mount.share, mount.writable ? "rw" : "ro", mount.timeout_ms);
}

using AddLine = std::function<void(const char* key, const std::string& value)>;

/// How unmodified programs are started, and what they say about it.
void configure_preload(const GuestCommand& command, const AddLine& line) {
    if (!command.preload) return;
    line("env", fmt::format("LD_PRELOAD={}", kPreload));
    line("env", fmt::format("FARCALL_EXEC={}", kLauncher));
    if (command.network) line("env", "FARCALL_NET=1");
    if (command.trace) {
        line("trace", kTrace);
        line("env", fmt::format("FARCALL_TRACE={}", kTrace));
    }
    if (command.summary) {
        line("summary", kSummary);
        line("env", fmt::format("FARCALL_SUMMARY={}", kSummary));
    }
}

std::string configuration(const GuestCommand& command, const std::string& program) {
    std::string text;
    const auto line = [&](const char* key, const std::string& value) {
        text += fmt::format("{} {}\n", key, percent_encode(value));
    };
    if (command.preload) line("arg", kLauncher);
    line("arg", program);
    for (size_t i = 1; i < command.arguments.size(); i++)
        line("arg", command.arguments[i]);
    line("env", fmt::format("PATH={}", kPath));
    line("env", fmt::format("HOME={}", command.user == 0 ? "/root" : "/tmp"));
    line("env", fmt::format("USER={}", command.user == 0 ? "root" : "user"));
    configure_preload(command, line);
    for (const std::string& variable : command.environment)
        line("env", variable);
    line("cwd", command.directory);
    line("user", fmt::format("{}:{}", command.user, command.group));
    for (const std::string& module : needed_modules(command.tree))
        line("module", module_path(module));
    if (command.tree.root) line("root", share_text(*command.tree.root));
    if (!command.tree.root_image.empty()) line("image", command.tree.root_image);
    for (const GuestMount& mount : command.tree.mounts)
        line("mount", fmt::format("{}:{}", share_text(mount), mount.where));
    if (command.terminal)
        line("tty", fmt::format("{}x{}", command.terminal->rows, command.terminal->columns));
    if (command.keep_log) line("log", "1");
    return text;
}

}  // namespace

std::string percent_encode(const std::string& text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte == 0x7f || c == '%') {
            out += fmt::format("%{:02x}", byte);
        } else {
            out.push_back(c);
        }
    }
    return out;
}

Initramfs make_guest_image(const GuestFiles& files, const GuestCommand& command) {
    Initramfs image;
    if (!command.base.empty()) image.add_base(command.base);
    add_skeleton(image, command);
    if (!command.tree.host_root) add_busybox(image);
    ProgramPacker packer(
        image, command.tree.host_root ? std::vector<std::string>{"/usr"} : std::vector<std::string>{});
    add_additions(packer, command.additions);
    const std::string program = add_command(image, packer, command);
    image.add_directory(FC_INIT_RUN, 01777);
    if (command.preload) {
        image.add_host_file(kPreload, 0755, files.preload);
        image.add_host_file(kLauncher, 0755, files.launcher);
    }
    image.add_host_file("/init", 0755, files.init);
    image.add_host_file(FC_INIT_MODULE, 0644, files.module);
    add_modules(image, files, command.tree);
    image.add_file(FC_INIT_CONFIG, 0644, configuration(command, program));
    return image;
}

}  // namespace farcall::vmm
