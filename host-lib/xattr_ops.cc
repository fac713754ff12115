// SPDX-License-Identifier: MIT
// Extended attributes, of users only: those of the other name spaces mean something to the host's kernel.
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

#include "host-lib/client.h"
#include "host-lib/file_ops.h"
#include "host-lib/operands.h"

namespace farcall {
namespace {

static_assert(FC_XATTR_CREATE == XATTR_CREATE << 1 && FC_XATTR_REPLACE == XATTR_REPLACE << 1);

/// Calls `act` with a name for what the subject names; a symbolic link's leads to the link.
template <typename Act>
int64_t on_subject(const Subject& subject, Act act) {
    UniqueFd owned;
    const int fd = open_subject(subject, &owned);
    if (fd < 0) return fd;
    return result_of(act(name_of(fd)));
}

int64_t get_value(const Subject& subject, const std::string& name, uint32_t room, std::string& output) {
    output.resize(std::min(room, FC_MAX_XATTR_BYTES));
    const int64_t result = on_subject(subject, [&](const std::string& path) {
        return getxattr(path.c_str(), name.c_str(), output.data(), output.size());
    });
    output.resize(room == 0 || result < 0 ? 0 : static_cast<size_t>(result));
    return result;
}

int64_t list_names(const Subject& subject, uint32_t room, std::string& output) {
    std::string all(FC_MAX_XATTR_BYTES, 0);
    const int64_t result = on_subject(
        subject, [&](const std::string& path) { return listxattr(path.c_str(), all.data(), all.size()); });
    if (result < 0) return result;
    all.resize(static_cast<size_t>(result));
    for (size_t at = 0; at < all.size();) {
        const std::string_view name(all.c_str() + at);
        if (name.starts_with("user.")) output.append(name).append(1, '\0');
        at += name.size() + 1;
    }
    const auto bytes = static_cast<int64_t>(output.size());
    if (room == 0 || output.size() > room) output.clear();
    return room != 0 && bytes > room ? -ERANGE : bytes;
}

}  // namespace

int64_t op_getxattr(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_STATX_NOFOLLOW) return -EINVAL;
    Subject subject;
    std::string name;
    if (int err = read_subject_and_name(client, task, operands, false, &subject, &name)) return err;
    Output output;
    if (int err = read_output(client, operands, 0, &output)) return err;
    const bool here = subject.file->in_memory;
    auto step = [subject = std::move(subject), name = std::move(name),
                 room = output.bytes](std::string& out) { return get_value(subject, name, room, out); };
    return start_step(client, task, here, std::move(step), output);
}

int64_t op_setxattr(Client& client, Task& task, const Operands& operands) {
    const unsigned how = task.cmd.op_flags & (FC_XATTR_CREATE | FC_XATTR_REPLACE);
    if (task.cmd.op_flags & ~(how | FC_STATX_NOFOLLOW)) return -EINVAL;
    Subject subject;
    std::string name, value;
    if (int err = read_subject_and_name(client, task, operands, true, &subject, &name)) return err;
    if (int err = read_input(client, operands, FC_MAX_XATTR_BYTES, &value)) return err;
    const bool here = subject.file->in_memory;
    auto step = [subject = std::move(subject), name = std::move(name), value = std::move(value),
                 how](std::string&) {
        return on_subject(subject, [&](const std::string& path) {
            return setxattr(path.c_str(), name.c_str(), value.data(), value.size(),
                            static_cast<int>(how >> 1));
        });
    };
    return start_step(client, task, here, std::move(step));
}

int64_t op_removexattr(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_STATX_NOFOLLOW) return -EINVAL;
    Subject subject;
    std::string name;
    if (int err = read_subject_and_name(client, task, operands, true, &subject, &name)) return err;
    const bool here = subject.file->in_memory;
    auto step = [subject = std::move(subject), name = std::move(name)](std::string&) {
        return on_subject(subject,
                          [&](const std::string& path) { return removexattr(path.c_str(), name.c_str()); });
    };
    return start_step(client, task, here, std::move(step));
}

int64_t op_listxattr(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.op_flags & ~FC_STATX_NOFOLLOW) return -EINVAL;
    Subject subject;
    if (int err = read_subject(client, task, operands, false, &subject)) return err;
    Output output;
    if (int err = read_output(client, operands, 0, &output)) return err;
    const bool here = subject.file->in_memory;
    auto step = [subject = std::move(subject), room = output.bytes](std::string& out) {
        return list_names(subject, room, out);
    };
    return start_step(client, task, here, std::move(step), output);
}

}  // namespace farcall
