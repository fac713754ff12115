// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "host-lib/budget.h"
#include "host-lib/mapped_window.h"
#include "host-lib/unique_fd.h"

namespace farcall {

/// What a handle names. Shared between the table and the commands that use it, so that closing a handle never
/// pulls it away from a command in flight.
struct HostObject {
    enum class Type : uint8_t { kFile, kSocket, kBufferPool, kService };

    explicit HostObject(Type object_type) : type(object_type) {}
    virtual ~HostObject() = default;
    HostObject(const HostObject&) = delete;
    HostObject& operator=(const HostObject&) = delete;

    const Type type;
};

/// An open file, directory or stream, always in a shared_ptr. Immutable but for what says otherwise.
struct File : HostObject, std::enable_shared_from_this<File> {
    static constexpr Type kType = Type::kFile;
    enum class Kind : uint8_t { kRegular, kDirectory, kStream };

    File() : HostObject(kType) {}

    UniqueFd owned;  ///< empty for borrowed descriptors (streams)
    int fd = -1;
    Kind kind = Kind::kRegular;
    bool readable = false;
    bool writable = false;
    bool writable_tree = false;  ///< directories and shares: files below may be written
    int share = -1;              ///< number of the share that it lies in
    bool is_share = false;       ///< a share's own directory, which all clients of the domain use, or file
    bool in_memory = false;      ///< reads and writes never wait for a device (tmpfs)
    bool local = false;  ///< attributes never come from a server (not FUSE, not a network file system)
    bool nowait_refused[2] =
        {};  ///< the file system does not know RWF_NOWAIT for reads / for writes; the worker's
    uint64_t bytes_read = 0;               ///< before it got `windows`; the worker's
    std::unique_ptr<FileWindows> windows;  ///< mapped, or candidates; the worker's
    int stream = -1;                       ///< kStream: index of its pump thread
    std::mutex position;  ///< kDirectory: to move the position and read from there in one piece
};

/// Handles of one client: u32 names, index + generation, never a host descriptor. Used by the client's worker
/// only.
class HandleTable {
  public:
    /// `budget`: handles of the whole domain; nullptr: no bound but `max_handles`.
    explicit HandleTable(uint32_t max_handles, std::shared_ptr<Budget> budget = nullptr)
        : max_handles_(max_handles), budget_(std::move(budget)) {}
    ~HandleTable();
    HandleTable(const HandleTable&) = delete;
    HandleTable& operator=(const HandleTable&) = delete;

    /// Puts an object at a fixed handle below FC_FIRST_HANDLE.
    void set_fixed(uint32_t handle, std::shared_ptr<HostObject> object);
    /// add() would give -EMFILE: for those who must not make what they could not name.
    bool full() const { return free_.empty() && slots_.size() >= std::min(max_handles_, kMaxSlots); }
    /// Returns the handle, positive as s32, or -EMFILE, or -ENFILE: the domain has too many.
    int64_t add(std::shared_ptr<HostObject> object);
    /// nullptr when the handle names nothing.
    const std::shared_ptr<HostObject>& find(uint64_t handle) const;
    /// The same for one type of object: nullptr also when the handle names another.
    template <class T>
    T* get(uint64_t handle) const {
        HostObject* object = find(handle).get();
        return object != nullptr && object->type == T::kType ? static_cast<T*>(object) : nullptr;
    }
    /// As get(), shared: for commands that outlast the call.
    template <class T>
    std::shared_ptr<T> share(uint64_t handle) const {
        return get<T>(handle) == nullptr ? nullptr : std::static_pointer_cast<T>(find(handle));
    }
    /// Forgets the handle; fixed ones stay. Returns the object, or nullptr.
    std::shared_ptr<HostObject> remove(uint64_t handle);
    /// Forgets all that are not `wanted` and not fixed; returns their objects.
    std::vector<std::shared_ptr<HostObject>> keep_only(const std::function<bool(uint32_t handle)>& wanted);

  private:
    struct Slot {
        std::shared_ptr<HostObject> object;
        uint32_t generation = 1;
    };
    static constexpr uint32_t kMaxSlots = 1u << 16;  ///< an index has 16 bits
    uint32_t max_handles_;
    std::shared_ptr<Budget> budget_;
    std::vector<std::shared_ptr<HostObject>> fixed_;
    std::vector<Slot> slots_;
    std::vector<uint32_t> free_;
    std::shared_ptr<HostObject> none_;
};

}  // namespace farcall
