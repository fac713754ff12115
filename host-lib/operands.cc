// SPDX-License-Identifier: MIT
#include "host-lib/operands.h"

#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/share.h"
#include "host-lib/worker.h"

namespace farcall {

int find_range(Client& client, uint32_t key, uint64_t buffer, uint64_t length, bool host_writes,
               Region** out) {
    Region* region = client.regions().find(key);
    if (region == nullptr) return -EIDRM;
    if (!region->contains(buffer, length)) return -EFAULT;
    if (host_writes && !region->writable()) return -EACCES;
    *out = region;
    return 0;
}

int find_memory(Client& client, const Task& task, const Operands& operands, bool host_writes, Region** out) {
    return find_range(client, task.cmd.region, operands.buffer, operands.length, host_writes, out);
}

int read_iovs(Client& client, const Task& task, const Operands& operands, std::array<fc_iov, FC_MAX_IOV>& out,
              size_t* count) {
    if (operands.length % sizeof(fc_iov) != 0 || operands.length > sizeof(out)) return -EINVAL;
    Region* region = nullptr;
    if (int err = find_memory(client, task, operands, false, &region)) return err;
    if (operands.buffer % alignof(fc_iov) != 0) return -EFAULT;
    region->copy_out(operands.buffer, out.data(), operands.length);
    *count = operands.length / sizeof(fc_iov);
    return 0;
}

namespace {

int read_iov(Client& client, const Operands& operands, bool host_writes, Output* out) {
    Region* arena = client.regions().arena();
    if (arena == nullptr || operands.offset % alignof(fc_iov) != 0 ||
        !arena->contains(operands.offset, sizeof(fc_iov)))
        return -EFAULT;
    fc_iov iov;
    arena->copy_out(operands.offset, &iov, sizeof(iov));
    out->at = iov.buffer;
    out->bytes = iov.length;
    return find_range(client, iov.region, iov.buffer, iov.length, host_writes, &out->region);
}

}  // namespace

int memory_output(Client& client, const Task& task, const Operands& operands, uint32_t least, Output* out) {
    if (operands.length < least) return -EINVAL;
    *out = {nullptr, operands.buffer, operands.length};
    return find_memory(client, task, operands, true, &out->region);
}

int read_output(Client& client, const Operands& operands, uint32_t least, Output* out) {
    if (int err = read_iov(client, operands, true, out)) return err;
    return out->bytes < least ? -EINVAL : 0;
}

int read_input(Client& client, const Operands& operands, uint32_t most, std::string* out) {
    Output input;
    if (int err = read_iov(client, operands, false, &input)) return err;
    if (input.bytes > most) return -E2BIG;
    out->resize(input.bytes);
    input.region->copy_out(input.at, out->data(), out->size());
    return 0;
}

namespace {

int check_path(const std::string& path) {
    if (path.empty()) return -ENOENT;
    if (path.size() >= FC_MAX_PATH) return -ENAMETOOLONG;
    return path.find('\0') != std::string::npos ? -EINVAL : 0;
}

int copy_text(Client& client, const Task& task, const Operands& operands, std::string* out) {
    Region* region = nullptr;
    if (int err = find_memory(client, task, operands, false, &region)) return err;
    out->resize(operands.length);
    region->copy_out(operands.buffer, out->data(), out->size());
    return 0;
}

}  // namespace

int read_path(Client& client, const Task& task, const Operands& operands, std::string* out) {
    if (operands.length >= FC_MAX_PATH) return -ENAMETOOLONG;
    if (int err = copy_text(client, task, operands, out)) return err;
    return check_path(*out);
}

int read_paths(Client& client, const Task& task, const Operands& operands, std::string* first,
               std::string* second) {
    std::string both;
    if (operands.length >= 2 * FC_MAX_PATH) return -ENAMETOOLONG;
    if (int err = copy_text(client, task, operands, &both)) return err;
    const size_t nul = both.find('\0');
    if (nul == std::string::npos) return -EINVAL;
    *first = both.substr(0, nul);
    *second = both.substr(nul + 1);
    if (second->find('\0') != std::string::npos) return -EINVAL;
    if (int err = check_path(*first)) return err;
    return check_path(*second);
}

namespace {

/// The file of a subject, before its path is looked at; `below`: there is a path.
int find_subject(Client& client, const Task& task, const Operands& operands, bool to_change, bool below,
                 Subject* out) {
    out->file = client.handles().share<File>(operands.handle);
    if (out->file == nullptr) return -EBADF;
    if (below && out->file->kind != File::Kind::kDirectory) return -ENOTDIR;
    if (out->file->fd < 0) return -ENODEV;
    if (to_change && !out->file->writable_tree) return -EROFS;
    out->follow = !(task.cmd.op_flags & FC_STATX_NOFOLLOW);
    return 0;
}

}  // namespace

int read_subject(Client& client, const Task& task, const Operands& operands, bool to_change, Subject* out) {
    const bool below = operands.length > 0;
    if (int err = find_subject(client, task, operands, to_change, below, out)) return err;
    Region* region = nullptr;  // an empty path, too, lies somewhere
    if (int err = find_memory(client, task, operands, false, &region)) return err;
    return below ? read_path(client, task, operands, &out->path) : 0;
}

int read_subject_and_name(Client& client, const Task& task, const Operands& operands, bool to_change,
                          Subject* out, std::string* name) {
    constexpr std::string_view kPrefix = "user.";
    if (int err = find_subject(client, task, operands, to_change, false, out)) return err;
    if (operands.length >= 2 * FC_MAX_PATH) return -ENAMETOOLONG;
    std::string both;
    if (int err = copy_text(client, task, operands, &both)) return err;
    const size_t nul = both.find('\0');
    if (nul == std::string::npos) return -EINVAL;
    out->path = both.substr(0, nul);
    *name = both.substr(nul + 1);
    if (!out->path.empty() && out->file->kind != File::Kind::kDirectory) return -ENOTDIR;
    if (out->path.size() >= FC_MAX_PATH) return -ENAMETOOLONG;
    if (name->find('\0') != std::string::npos) return -EINVAL;
    if (name->size() > FC_MAX_XATTR_NAME) return -ERANGE;
    if (!name->starts_with(kPrefix) || name->size() == kPrefix.size()) return -EOPNOTSUPP;
    return 0;
}

int open_subject(const Subject& subject, UniqueFd* owned) {
    if (subject.path.empty()) return subject.file->fd;
    if (int err = find_below(*subject.file, subject.path, subject.follow, owned)) return err;
    return owned->get();
}

int find_directory(Client& client, uint64_t handle, bool to_change, std::shared_ptr<File>* out) {
    *out = client.handles().share<File>(handle);
    if (*out == nullptr) return -EBADF;
    if ((*out)->kind != File::Kind::kDirectory) return -ENOTDIR;
    return to_change && !(*out)->writable_tree ? -EROFS : 0;
}

int check_offset(const File& file, uint64_t offset, int64_t* out) {
    *out = -1;
    if (offset == FC_OFFSET_CURRENT) return 0;
    if (file.kind == File::Kind::kStream) return -ESPIPE;
    if (offset > INT64_MAX) return -EINVAL;
    *out = static_cast<int64_t>(offset);
    return 0;
}

BlockingPool& pool_for(Client& client, const File& file) {
    return file.kind == File::Kind::kStream ? *client.domain().pumps[file.stream] : client.worker().pool();
}

}  // namespace farcall
