// SPDX-License-Identifier: MIT
#include "vmm/host_root.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "host-lib/error.h"

namespace farcall::vmm {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMostBytes = 1 << 20;  // of a file below /etc
constexpr unsigned kDeepest = 16;
constexpr unsigned kDeepestOfVar = 3;

bool status_of(const fs::path& path, struct stat& out) {
    return ::lstat(path.c_str(), &out) == 0;
}

// Only what every user of this machine may read anyway. What vanishes meanwhile is left out.
void add_public(Initramfs& image, const fs::path& path, bool files, unsigned depth) {
    struct stat status {};
    if (!status_of(path, status)) return;
    std::error_code failed;
    if (S_ISLNK(status.st_mode)) {
        const fs::path target = fs::read_symlink(path, failed);
        if (files && !failed) image.add_symlink(path, target);
    } else if (S_ISDIR(status.st_mode) && (status.st_mode & 05) == 05) {
        image.add_directory(path, status.st_mode & 01777);
        if (depth == 0) return;
        for (const auto& entry : fs::directory_iterator(path, failed))
            add_public(image, entry.path(), files, depth - 1);
    } else if (files && S_ISREG(status.st_mode) && (status.st_mode & 04) != 0 &&
               static_cast<uint64_t>(status.st_size) <= kMostBytes) {
        image.add_host_file(path, status.st_mode & 0777, path);
    }
}

// NAME:x:NUMBER:...
std::pair<std::string, std::string> name_and_number(const std::string& line) {
    std::istringstream in(line);
    std::string name, password, number;
    std::getline(in, name, ':');
    std::getline(in, password, ':');
    std::getline(in, number, ':');
    return {name, number};
}

}  // namespace

bool has_merged_usr() {
    for (const char* name : {"bin", "sbin", "lib"}) {
        std::error_code failed;
        if (fs::canonical(fmt::format("/{}", name), failed) != fmt::format("/usr/{}", name)) return false;
    }
    return true;
}

void add_host_configuration(Initramfs& image) {
    add_public(image, "/etc", true, kDeepest);
    add_public(image, "/var", false, kDeepestOfVar);
    // What concerns this machine's own start-up and file systems.
    for (const char* name : {"/etc/ld.so.preload", "/etc/fstab"})
        if (image.contains(name)) image.add_file(name, 0644, "");
    image.add_symlink("/etc/mtab", "/proc/self/mounts");
    image.add_directory("/var/tmp", 01777);
    image.add_symlink("/var/run", "/run");
    image.add_symlink("/var/lock", "/run/lock");
    // It is often a link into /run.
    std::error_code failed;
    const fs::path resolver = fs::canonical("/etc/resolv.conf", failed);
    if (!failed) image.add_host_file("/etc/resolv.conf", 0644, resolver);
}

std::string other_entries(const std::string& path, const std::string& known) {
    std::set<std::string> names, numbers;
    std::istringstream in(known);
    for (std::string line; std::getline(in, line);) {
        const auto [name, number] = name_and_number(line);
        names.insert(name);
        numbers.insert(number);
    }
    std::string others;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const auto [name, number] = name_and_number(line);
        if (name.empty() || number.empty() || names.contains(name) || numbers.contains(number)) continue;
        others += line + "\n";
    }
    return others;
}

std::string find_below(const std::string& root, const std::string& name, const std::string& path) {
    const auto is_there = [&](const std::string& program) {
        struct stat status {};
        // A link may be absolute, and then leads somewhere else here than in the guest.
        return status_of(root + program, status) && (S_ISLNK(status.st_mode) || (status.st_mode & 0111) != 0);
    };
    if (name.find('/') != std::string::npos) {
        const std::string program = name.starts_with('/') ? name : "/" + name;
        if (is_there(program)) return program;
    }
    std::istringstream in(path);
    for (std::string directory; name.find('/') == std::string::npos && std::getline(in, directory, ':');)
        if (is_there(directory + "/" + name)) return directory + "/" + name;
    throw CommandNotFound(fmt::format("there is no program '{}' in the root file system '{}'", name, root));
}

}  // namespace farcall::vmm
