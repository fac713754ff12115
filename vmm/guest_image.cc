// SPDX-License-Identifier: MIT
#include "vmm/guest_image.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include <farcall/init.h>

#include "host-lib/error.h"
#include "vmm/input_file.h"
#include "vmm/program_packer.h"

namespace farcall::vmm {

namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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

void add_skeleton(Initramfs& image, const GuestCommand& command) {
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
    std::string users = "root:x:0:0:root:/root:/bin/sh\n", groups = "root:x:0:\n";
    if (command.user != 0)
        users += fmt::format("user:x:{}:{}:user:/tmp:/bin/sh\n", command.user, command.group);
    if (command.group != 0) groups += fmt::format("user:x:{}:\n", command.group);
    image.add_file("/etc/passwd", 0644, users + "nobody:x:65534:65534:nobody:/:/bin/false\n");
    image.add_file("/etc/group", 0644, groups + "nogroup:x:65534:\n");
    image.add_file("/etc/nsswitch.conf", 0644, "passwd: files\ngroup: files\nhosts: files\n");
    image.add_file("/etc/hosts", 0644, "127.0.0.1 localhost\n");
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

// A command that --add or --initrd-base bring need not be on this machine.
std::string add_command(const Initramfs& image, ProgramPacker& packer, const GuestCommand& command) {
    const std::string& name = command.arguments.front();
    const bool absolute = name.starts_with('/');
    if (absolute && image.contains(name)) return name;
    if (absolute && !command.base.empty() && ProgramPacker::find_program(name).empty()) return name;
    return packer.add_program(name);
}

std::string configuration(const GuestCommand& command, const std::string& program) {
    std::string text;
    const auto line = [&](const char* key, const std::string& value) {
        text += fmt::format("{} {}\n", key, percent_encode(value));
    };
    line("arg", program);
    for (size_t i = 1; i < command.arguments.size(); i++)
        line("arg", command.arguments[i]);
    line("env", fmt::format("PATH={}", kPath));
    line("env", fmt::format("HOME={}", command.user == 0 ? "/root" : "/tmp"));
    line("env", fmt::format("USER={}", command.user == 0 ? "root" : "user"));
    for (const std::string& variable : command.environment)
        line("env", variable);
    line("cwd", command.directory);
    line("user", fmt::format("{}:{}", command.user, command.group));
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
    add_busybox(image);
    ProgramPacker packer(image);
    add_additions(packer, command.additions);
    const std::string program = add_command(image, packer, command);
    image.add_host_file("/init", 0755, files.init);
    image.add_host_file(FC_INIT_MODULE, 0644, files.module);
    image.add_file(FC_INIT_CONFIG, 0644, configuration(command, program));
    return image;
}

}  // namespace farcall::vmm
