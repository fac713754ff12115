// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "host-lib/unique_fd.h"

namespace farcall {

/// An open host object behind a handle. Shared between the table and the commands that use it, so that
/// closing a handle never pulls a descriptor away from a command in flight. Immutable but for
/// `nowait_refused`, which only a worker sets.
struct File {
    enum class Kind { kRegular, kDirectory, kStream };

    UniqueFd owned;  ///< empty for borrowed descriptors (streams)
    int fd = -1;
    Kind kind = Kind::kRegular;
    bool readable = false;
    bool writable = false;
    bool writable_tree = false;  ///< directories: files below may be written
    bool in_memory = false;      ///< reads and writes never wait for a device (tmpfs)
    bool local = false;  ///< attributes never come from a server (not FUSE, not a network file system)
    bool nowait_refused = false;  ///< the file system does not know RWF_NOWAIT
    int stream = -1;              ///< kStream: index of its pump thread
};

/// Handles of one client: u32 names, index + generation, never a host descriptor. Used by the client's worker
/// only.
class HandleTable {
  public:
    explicit HandleTable(uint32_t max_handles) : max_handles_(max_handles) {}

    /// Puts a file at a fixed handle below FC_FIRST_HANDLE.
    void set_fixed(uint32_t handle, std::shared_ptr<File> file);
    /// Returns the handle, positive as s32, or -EMFILE.
    int64_t add(std::shared_ptr<File> file);
    /// nullptr when the handle names nothing.
    const std::shared_ptr<File>& find(uint64_t handle) const;
    /// Forgets the handle; fixed ones stay. Returns the file, or nullptr.
    std::shared_ptr<File> remove(uint64_t handle);

  private:
    struct Slot {
        std::shared_ptr<File> file;
        uint32_t generation = 1;
    };
    uint32_t max_handles_;
    std::vector<std::shared_ptr<File>> fixed_;
    std::vector<Slot> slots_;
    std::vector<uint32_t> free_;
    std::shared_ptr<File> none_;
};

}  // namespace farcall
