// SPDX-License-Identifier: MIT
#include "vmm/program_packer.h"

#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "host-lib/error.h"
#include "vmm/input_file.h"

namespace farcall::vmm {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kMaxDepth = 32;  // libraries of libraries, interpreters of scripts
constexpr unsigned kMaxLinks = 16;
constexpr size_t kMaxShebang = 256;

bool is_program(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

unsigned mode_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) < 0) throw errno_error(fmt::format("cannot add '{}'", path));
    // Whoever the command runs as in the guest owns none of it, and must be able to read and start it.
    const unsigned mode = status.st_mode & 0777;
    return mode | 0444 | ((mode & 0111) != 0 ? 0111 : 0);
}

// The guest's init mounts file systems of its own there, over what the initial RAM disk has.
bool is_hidden(const std::string& guest_path) {
    for (const char* directory : {"/dev/", "/proc/", "/run/", "/sys/", "/tmp/"}) {
        if (guest_path.starts_with(directory)) return true;
    }
    return false;
}

void refuse_hidden(const std::string& guest_path) {
    if (is_hidden(guest_path)) {
        throw Error(
            fmt::format("'{}' would be hidden in the guest, which mounts a file system there", guest_path));
    }
}

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, at);) {
        if (!part.empty()) parts.push_back(part);
    }
    return parts;
}

// The directories of ld.so.conf and what it includes.
void read_linker_configuration(const std::string& path, std::vector<std::string>& out, unsigned depth) {
    if (depth > 4) return;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
        line = line.substr(0, line.find('#'));
        std::istringstream words(line);
        std::string word;
        if (!(words >> word)) continue;
        if (word != "include") {
            out.push_back(word);
            continue;
        }
        while (words >> word) {
            const fs::path pattern = fs::path(path).parent_path() / word;  // stays as it is when absolute
            glob_t found{};
            if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
                for (size_t i = 0; i < found.gl_pathc; i++)
                    read_linker_configuration(found.gl_pathv[i], out, depth + 1);
            }
            ::globfree(&found);
        }
    }
}

std::string with_origin(std::string directory, const std::string& user) {
    for (const std::string token : {"${ORIGIN}", "$ORIGIN"}) {
        const std::string origin = fs::canonical(user).parent_path();
        // A directory may be called "$ORIGIN": what has been put in is not looked at again.
        for (size_t at = directory.find(token); at != std::string::npos;
             at = directory.find(token, at + origin.size())) {
            directory.replace(at, token.size(), origin);
        }
    }
    return directory;
}

bool is_library(const std::string& path) {
    std::error_code failed;
    if (!fs::is_regular_file(path, failed)) return false;
    try {
        return read_elf_needs(InputFile(path, "library")).has_value();
    } catch (const Error&) {
        return false;  // of another architecture: the search goes on, as the dynamic linker's does
    }
}

}  // namespace

std::string ProgramPacker::find_program(const std::string& command) {
    if (command.find('/') != std::string::npos) {
        return is_program(command) ? fs::absolute(command).lexically_normal().string() : std::string();
    }
    const char* path = std::getenv("PATH");
    for (const std::string& directory : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
        const std::string candidate = fs::absolute(fs::path(directory) / command).lexically_normal();
        if (is_program(candidate)) return candidate;
    }
    return {};
}

std::string ProgramPacker::add_program(const std::string& command) {
    const std::string path = find_program(command);
    if (path.empty()) throw CommandNotFound(fmt::format("there is no program '{}' to run", command));
    if (!is_hidden(path)) {
        add_closure(path, 0);
        return path;
    }
    const std::string moved = "/farcall/bin/" + fs::path(path).filename().string();
    add(path, moved);
    if (!read_elf_needs(InputFile(path, "program"))) add_script(path, 0);
    return moved;
}

void ProgramPacker::add(const std::string& host_path, const std::string& guest_path) {
    std::error_code failed;
    refuse_hidden(guest_path);
    if (fs::is_directory(host_path, failed)) {
        to_.add_directory(guest_path, mode_of(host_path) | 0111);
        for (const auto& entry : fs::directory_iterator(host_path)) {
            const std::string below = guest_path + "/" + entry.path().filename().string();
            // Links inside a tree stay links: followed, one that leads upwards would have no end.
            if (entry.is_symlink()) {
                to_.add_symlink(below, fs::read_symlink(entry.path()));
            } else {
                add(entry.path(), below);
            }
        }
    } else {
        to_.add_host_file(guest_path, mode_of(host_path), host_path);
        if (fs::file_size(host_path, failed) == 0) return;
        const InputFile file(host_path, "file");
        if (const auto needs = read_elf_needs(file)) add_elf(host_path, *needs, 0);
    }
}

// A file under its own path. Symbolic links to it are kept, so that $ORIGIN and names mean the same in the
// guest.
void ProgramPacker::add_with_links(const std::string& host_path) {
    fs::path path = host_path;
    for (unsigned links = 0; fs::is_symlink(path); links++) {
        if (links == kMaxLinks) throw Error(fmt::format("too many symbolic links behind '{}'", host_path));
        const fs::path target = fs::read_symlink(path);
        to_.add_symlink(path, target);
        path =
            target.is_absolute() ? target : (fs::canonical(path.parent_path()) / target).lexically_normal();
    }
    to_.add_host_file(path, mode_of(path), path);
}

bool ProgramPacker::is_provided(const std::string& host_path) const {
    std::error_code failed;
    const std::string real = fs::canonical(host_path, failed);
    return !failed && std::any_of(provided_.begin(), provided_.end(), [&](const std::string& directory) {
        return real.starts_with(directory + "/");
    });
}

void ProgramPacker::add_closure(const std::string& host_path, unsigned depth) {
    if (is_provided(host_path) || !done_.insert(host_path).second) return;
    refuse_hidden(host_path);
    if (depth > kMaxDepth) throw Error(fmt::format("'{}' is needed by too long a chain of files", host_path));
    const InputFile file(host_path, "program");
    add_with_links(host_path);
    if (const auto needs = read_elf_needs(file)) {
        add_elf(host_path, *needs, depth);
    } else {
        add_script(host_path, depth);
    }
}

void ProgramPacker::add_elf(const std::string& host_path, const ElfNeeds& needs, unsigned depth) {
    if (!needs.interpreter.empty()) {
        if (!is_library(needs.interpreter)) {
            throw Error(
                fmt::format("the dynamic linker '{}' of '{}' is not there", needs.interpreter, host_path));
        }
        add_closure(needs.interpreter, depth + 1);
    }
    for (const std::string& name : needs.needed)
        add_closure(find_library(name, host_path, needs), depth + 1);
}

void ProgramPacker::add_script(const std::string& host_path, unsigned depth) {
    std::ifstream in(host_path, std::ios::binary);
    std::string line(kMaxShebang, '\0');
    in.read(line.data(), kMaxShebang);
    line.resize(static_cast<size_t>(in.gcount()));
    if (!line.starts_with("#!")) {
        if (depth == 0)
            throw Error(fmt::format("'{}' is neither an ELF program nor a script with #!", host_path));
        return;
    }
    std::istringstream words(line.substr(2, line.find('\n') - 2));
    std::string interpreter, argument;
    words >> interpreter >> argument;
    if (!is_program(interpreter)) {
        throw Error(fmt::format("the interpreter '{}' of '{}' is not there", interpreter, host_path));
    }
    add_closure(interpreter, depth + 1);
    if (fs::path(interpreter).filename() == "env" && !argument.empty() && !argument.starts_with('-')) {
        const std::string real = find_program(argument);
        if (real.empty())
            throw Error(fmt::format("the interpreter '{}' of '{}' is not there", argument, host_path));
        add_closure(real, depth + 1);
    }
}

const std::vector<std::string>& ProgramPacker::system_directories() const {
    if (system_directories_.empty()) {
        read_linker_configuration("/etc/ld.so.conf", system_directories_, 0);
        for (const char* directory :
             {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib",
              "/usr/lib", "/lib/x86_64-linux-musl", "/usr/local/lib"}) {
            system_directories_.emplace_back(directory);
        }
    }
    return system_directories_;
}

// The dynamic linker's order, without LD_LIBRARY_PATH: that is about this machine, and --env sets one for the
// guest.
std::string ProgramPacker::find_library(const std::string& name, const std::string& user,
                                        const ElfNeeds& needs) const {
    if (name.find('/') != std::string::npos) return fs::absolute(name);
    std::vector<std::string> directories = split(needs.runpath.empty() ? needs.rpath : needs.runpath, ':');
    for (std::string& directory : directories)
        directory = with_origin(directory, user);
    directories.insert(directories.end(), system_directories().begin(), system_directories().end());
    for (const std::string& directory : directories) {
        const std::string candidate = fs::path(directory) / name;
        if (is_library(candidate)) return fs::path(candidate).lexically_normal();
    }
    throw Error(fmt::format("the library {} that '{}' needs is not there", name, user));
}

}  // namespace farcall::vmm
