// SPDX-License-Identifier: MIT
#include "vmm/initramfs.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>

#include "host-lib/error.h"
#include "vmm/input_file.h"

namespace farcall::vmm {

namespace {

constexpr uint64_t kHeaderBytes = 110;
constexpr uint64_t kMaxFile = UINT32_MAX;
constexpr uint64_t kBaseAlign = 512;
constexpr unsigned kMaxLinks = 32;
constexpr const char* kTrailer = "TRAILER!!!";

uint64_t align(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
}

uint64_t entry_bytes(const std::string& name, uint64_t data) {
    return align(kHeaderBytes + name.size() + 1, 4) + align(data, 4);
}

/// Fills a buffer front to back, and refuses to go beyond it.
class Cursor {
  public:
    explicit Cursor(std::span<std::byte> out) : out_(out) {}

    std::span<std::byte> take(uint64_t bytes) {
        if (bytes > out_.size() - at_) throw Error("the initial RAM disk outgrew its announced size");
        at_ += bytes;
        return out_.subspan(at_ - bytes, bytes);
    }
    void put(const std::string& text) {
        const auto to = take(text.size());
        if (!text.empty()) std::memcpy(to.data(), text.data(), text.size());
    }
    void pad(uint64_t to) {
        const auto gap = take(align(at_, to) - at_);
        if (!gap.empty()) std::memset(gap.data(), 0, gap.size());
    }

  private:
    std::span<std::byte> out_;
    uint64_t at_ = 0;
};

}  // namespace

std::string Initramfs::follow(const std::string& path) const {
    std::string done;
    std::vector<std::string> rest;  // last component first
    const auto push = [&](const std::string& text) {
        std::vector<std::string> parts;
        for (const auto& part : std::filesystem::path(text)) {
            if (!part.empty() && part != "/" && part != ".") parts.push_back(part);
        }
        rest.insert(rest.end(), parts.rbegin(), parts.rend());
    };
    push(path);
    unsigned links = 0;
    while (!rest.empty()) {
        const std::string part = rest.back();
        rest.pop_back();
        if (part == "..") {
            const size_t slash = done.rfind('/');
            done = slash == std::string::npos ? std::string() : done.substr(0, slash);
            continue;
        }
        const std::string next = done.empty() ? part : done + "/" + part;
        const auto entry = entries_.find(next);
        if (!rest.empty() && entry != entries_.end() && S_ISLNK(entry->second.mode)) {
            if (++links > kMaxLinks)
                throw Error(fmt::format("too many symbolic links on the way to '{}'", path));
            if (entry->second.content.starts_with('/')) done.clear();
            push(entry->second.content);
            continue;
        }
        done = next;
    }
    return done;
}

std::string Initramfs::place(const std::string& path) {
    if (!path.starts_with('/')) throw Error(fmt::format("'{}' is not an absolute path in the guest", path));
    const std::string name = follow(path);
    for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
        const std::string parent = name.substr(0, slash);
        const auto [entry, added] = entries_.try_emplace(parent, Entry{S_IFDIR | 0755, {}, {}, 0, 0, 0});
        if (!added && !S_ISDIR(entry->second.mode)) {
            throw Error(fmt::format("'{}' cannot be added: '/{}' is not a directory", path, parent));
        }
    }
    return name;
}

void Initramfs::set(const std::string& path, Entry entry) {
    const std::string name = place(path);
    if (name.empty()) return;
    const auto present = entries_.find(name);
    if (present != entries_.end() && S_ISDIR(present->second.mode) != S_ISDIR(entry.mode)) {
        throw Error(fmt::format("'{}' cannot be both a directory and something else in the guest", path));
    }
    entries_[name] = std::move(entry);
}

void Initramfs::add_directory(const std::string& path, unsigned mode) {
    set(path, {S_IFDIR | mode, {}, {}, 0, 0, 0});
}

void Initramfs::add_file(const std::string& path, unsigned mode, std::string content) {
    const uint64_t bytes = content.size();
    set(path, {S_IFREG | mode, std::move(content), {}, bytes, 0, 0});
}

void Initramfs::add_host_file(const std::string& path, unsigned mode, const std::string& host_path) {
    struct stat status {};
    if (::stat(host_path.c_str(), &status) < 0) throw errno_error(fmt::format("cannot add '{}'", host_path));
    if (!S_ISREG(status.st_mode)) throw Error(fmt::format("cannot add '{}': not a regular file", host_path));
    const auto bytes = static_cast<uint64_t>(status.st_size);
    if (bytes > kMaxFile) throw Error(fmt::format("cannot add '{}': larger than 4 GiB", host_path));
    if (bytes == 0) return add_file(path, mode, {});
    set(path, {S_IFREG | mode, {}, host_path, bytes, 0, 0});
}

void Initramfs::add_symlink(const std::string& path, const std::string& target) {
    set(path, {S_IFLNK | 0777, target, {}, target.size(), 0, 0});
}

void Initramfs::add_character_device(const std::string& path, unsigned mode, unsigned major, unsigned minor) {
    set(path, {S_IFCHR | mode, {}, {}, 0, major, minor});
}

void Initramfs::add_base(const std::string& host_path) {
    const InputFile check(host_path, "base of the initial RAM disk");
    bases_.push_back(host_path);
}

bool Initramfs::contains(const std::string& path) const {
    return entries_.contains(follow(path));
}

uint64_t Initramfs::bytes() const {
    uint64_t sum = 0;
    for (const std::string& base : bases_) {
        sum = align(sum + InputFile(base, "base of the initial RAM disk").bytes(), kBaseAlign);
    }
    for (const auto& [name, entry] : entries_)
        sum += entry_bytes(name, entry.bytes);
    return sum + entry_bytes(kTrailer, 0);
}

void Initramfs::write(std::span<std::byte> out) const {
    Cursor cursor(out);
    for (const std::string& base : bases_) {
        const InputFile file(base, "base of the initial RAM disk");
        file.read(0, cursor.take(file.bytes()));
        cursor.pad(kBaseAlign);
    }
    uint32_t inode = 1;
    const auto header = [&](const std::string& name, const Entry& entry) {
        const unsigned links = S_ISDIR(entry.mode) ? 2 : 1;
        cursor.put(fmt::format(
            "070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}", inode++,
            entry.mode, 0, 0, links, 0, entry.bytes, 0, 0, entry.major, entry.minor, name.size() + 1, 0));
        cursor.put(name);
        cursor.take(1)[0] = std::byte{0};
        cursor.pad(4);
    };
    for (const auto& [name, entry] : entries_) {
        header(name, entry);
        if (entry.host_path.empty()) {
            cursor.put(entry.content);
        } else {
            const InputFile file(entry.host_path, "file");
            if (file.bytes() != entry.bytes)
                throw Error(fmt::format("'{}' changed its size while it was read", entry.host_path));
            file.read(0, cursor.take(entry.bytes));
        }
        cursor.pad(4);
    }
    header(kTrailer, {});
}

}  // namespace farcall::vmm
