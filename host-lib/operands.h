// SPDX-License-Identifier: MIT
// What ops do with the operands of a command before they act: every function checks what a client chose and
// copies it once. Worker only.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "host-lib/file_job.h"
#include "host-lib/handle_table.h"
#include "host-lib/ops.h"
#include "host-lib/region.h"

namespace farcall {

class BlockingPool;
class Client;

constexpr uint32_t kInlineBytes = 64 << 10;  ///< longer steps would hold up the worker's other channels

/// A system call's result as a command has it: -errno, or what the call returned.
inline int64_t result_of(int64_t result) {
    return result < 0 ? -errno : result;
}

/// The region of [buffer, buffer + length). 0; -EIDRM: no such region; -EFAULT: outside of it; -EACCES: the
/// host would have to write, and may not.
int find_range(Client& client, uint32_t key, uint64_t buffer, uint64_t length, bool host_writes,
               Region** out);

/// The same for the memory that a command names.
int find_memory(Client& client, const Task& task, const Operands& operands, bool host_writes, Region** out);

/// The memory that a command names, for output. -EINVAL: less than `least` bytes; find_memory()'s.
int memory_output(Client& client, const Task& task, const Operands& operands, uint32_t least, Output* out);

/// The memory that a command names as an array of struct fc_iov. -EINVAL: no whole number of them, or more
/// than FC_MAX_IOV; -EFAULT: not 8-aligned; find_memory()'s.
int read_iovs(Client& client, const Task& task, const Operands& operands, std::array<fc_iov, FC_MAX_IOV>& out,
              size_t* count);

/// The place for output that FC_OFFSET_IOV names: one struct fc_iov in the arena. -EFAULT: not 8-aligned
/// inside of the arena; -EINVAL: less than `least` bytes; find_range()'s.
int read_output(Client& client, const Operands& operands, uint32_t least, Output* out);

/// The same for input of at most `most` bytes, which is copied. -E2BIG: longer.
int read_input(Client& client, const Operands& operands, uint32_t most, std::string* out);

/// The path in a command's memory. -ENOENT: empty; -ENAMETOOLONG; -EINVAL: a NUL; find_memory()'s.
int read_path(Client& client, const Task& task, const Operands& operands, std::string* out);

/// Two paths, split by one NUL; each as read_path(). -EINVAL: no NUL, or several.
int read_paths(Client& client, const Task& task, const Operands& operands, std::string* first,
               std::string* second);

/// What a path below a directory names, or the file that a handle names.
struct Subject {
    std::shared_ptr<File> file;
    std::string path;  ///< empty: the file itself
    bool follow = true;
};

/// The subject of a command whose path may be empty; FC_STATX_NOFOLLOW counts. -EBADF; -ENODEV: a stream that
/// is not there; -ENOTDIR: a path below a file; -EROFS: `to_change`, and it must not; read_path()'s but
/// -ENOENT.
int read_subject(Client& client, const Task& task, const Operands& operands, bool to_change, Subject* out);

/// The same with a name of an extended attribute behind the path and a NUL. -EOPNOTSUPP: not "user.…";
/// -ERANGE: too long a name.
int read_subject_and_name(Client& client, const Task& task, const Operands& operands, bool to_change,
                          Subject* out, std::string* name);

/// A descriptor of it, perhaps O_PATH, or -errno; `owned` keeps it open if it had to be opened. May block.
int open_subject(const Subject& subject, UniqueFd* owned);

/// The directory that a handle names. -EBADF, -ENOTDIR; -EROFS: it has to be writable, and is not.
int find_directory(Client& client, uint64_t handle, bool to_change, std::shared_ptr<File>* out);

/// FC_OFFSET_CURRENT gives -1. -ESPIPE: an offset in a stream; -EINVAL: above 2^63 - 1.
int check_offset(const File& file, uint64_t offset, int64_t* out);

/// Where ops on this file may block.
BlockingPool& pool_for(Client& client, const File& file);

}  // namespace farcall
