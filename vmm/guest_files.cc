// SPDX-License-Identifier: MIT
#include "vmm/guest_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>

namespace farcall::vmm {

namespace fs = std::filesystem;

namespace {

bool is_file(const fs::path& path) {
    std::error_code failed;
    return fs::is_regular_file(path, failed);
}

std::string first_file(const std::vector<fs::path>& candidates) {
    for (const fs::path& candidate : candidates) {
        if (is_file(candidate)) return candidate.lexically_normal();
    }
    return {};
}

std::vector<fs::path> guest_directories() {
    std::vector<fs::path> directories;
    const char* chosen = std::getenv("FARCALL_GUEST_DIR");
    if (chosen != nullptr && *chosen != '\0') directories.emplace_back(chosen);
    const fs::path here = executable_directory();
    directories.push_back(here / "guest");
    directories.push_back(here.parent_path() / "lib/farcall/guest");
    return directories;
}

}  // namespace

std::string executable_directory() {
    std::error_code failed;
    return fs::read_symlink("/proc/self/exe", failed).parent_path();
}

const std::vector<std::string>& guest_names() {
    static const std::vector<std::string> names = {"6.12", "6.1"};
    return names;
}

GuestFiles find_guest_files(const std::string& name) {
    GuestFiles files;
    files.name = name;
    const fs::path here = executable_directory();
    std::vector<fs::path> inits;
    std::error_code failed;
    for (const fs::path& directory : guest_directories()) {
        const fs::path guest = directory / name;
        if (files.kernel.empty()) files.kernel = first_file({guest / "vmlinux", guest / "bzImage"});
        if (files.module.empty()) files.module = first_file({guest / "farcall.ko"});
        if (files.modules.empty() && fs::is_directory(guest / "modules", failed))
            files.modules = (guest / "modules").lexically_normal();
        inits.push_back(guest / "farcall-init");
        inits.push_back(directory / "farcall-init");
    }
    inits.push_back(here / "farcall-init");
    inits.push_back(here.parent_path() / "lib/farcall/farcall-init");
    files.init = first_file(inits);
    const fs::path library = here.parent_path() / "lib/farcall";
    files.preload = first_file({here / "libfarcall-preload.so", library / "libfarcall-preload.so"});
    files.launcher = first_file({here / "farcall-exec", library / "farcall-exec"});
    return files;
}

GuestFiles find_default_guest() {
    GuestFiles best;
    for (const std::string& name : guest_names()) {
        const GuestFiles files = find_guest_files(name);
        if (files.complete()) return files;
        if (best.kernel.empty()) best = files;
    }
    return best;
}

std::string describe_missing(const GuestFiles& files) {
    std::vector<std::string> missing;
    if (files.kernel.empty()) missing.emplace_back("kernel");
    if (files.module.empty()) missing.emplace_back("module farcall.ko");
    if (files.init.empty()) missing.emplace_back("farcall-init");
    return fmt::format(
        "the guest's {} {} not there: build them (scripts/fetch-kernels.sh, scripts/build-module.sh), "
        "name them (--kernel, --module) or set FARCALL_GUEST_DIR",
        fmt::join(missing, " and "), missing.size() == 1 ? "is" : "are");
}

}  // namespace farcall::vmm
