// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace farcall::vmm {

/// An initial RAM disk in the making: an uncompressed newc cpio archive whose files are read only when it is
/// written. The same entries give the same bytes: sorted, owned by root, time 0. Used by one thread.
class Initramfs {
  public:
    /// Guest paths are absolute. Missing parents become directories of mode 0755; parents that are symbolic
    /// links added before are followed. Adding a path again replaces it, but directories stay.
    void add_directory(const std::string& path, unsigned mode = 0755);
    void add_file(const std::string& path, unsigned mode, std::string content);
    void add_host_file(const std::string& path, unsigned mode, const std::string& host_path);
    void add_symlink(const std::string& path, const std::string& target);
    void add_character_device(const std::string& path, unsigned mode, unsigned major, unsigned minor);
    /// A whole archive, compressed or not, that the kernel unpacks first. Throws farcall::Error when it can't
    /// be read.
    void add_base(const std::string& host_path);

    bool contains(const std::string& path) const;
    /// Bytes of the archive. Throws farcall::Error for a file that is absent or too large for the format.
    uint64_t bytes() const;
    /// Writes the archive; `out` has bytes() bytes. Throws farcall::Error when a file changed its size
    /// meanwhile.
    void write(std::span<std::byte> out) const;

  private:
    struct Entry {
        unsigned mode = 0;      // with the file type
        std::string content;    // of a file, or a link's target
        std::string host_path;  // not empty: the content is there
        uint64_t bytes = 0;
        unsigned major = 0;
        unsigned minor = 0;
    };
    std::string place(const std::string& path);
    std::string follow(const std::string& path) const;
    void set(const std::string& path, Entry entry);

    std::map<std::string, Entry> entries_;  // without the leading slash; sorted, so parents come first
    std::vector<std::string> bases_;
};

}  // namespace farcall::vmm
