// SPDX-License-Identifier: MIT
// READ, WRITE, READV, WRITEV: bytes between a file and the client's memory.
#include <array>
#include <cerrno>

#include "host-lib/client.h"
#include "host-lib/file_ops.h"
#include "host-lib/memory_spans.h"
#include "host-lib/operands.h"
#include "host-lib/socket.h"
#include "host-lib/socket_ops.h"
#include "host-lib/transfer_job.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr size_t kInlinePieces = 64;

/// A range of a region that the command names; checked.
struct Part {
    Region* region;
    uint64_t at;
    uint64_t bytes;
};

/// As Region::slice(), for all that lies behind the first `skip` bytes of several parts.
size_t slice(std::span<const Part> parts, uint64_t skip, std::span<iovec> out, uint64_t* covered) {
    size_t count = 0;
    *covered = 0;
    for (const Part& part : parts) {
        if (skip >= part.bytes) {
            skip -= part.bytes;
            continue;
        }
        uint64_t bytes;
        count += part.region->slice(part.at + skip, part.bytes - skip, out.subspan(count), &bytes);
        *covered += bytes;
        if (bytes < part.bytes - skip) break;  // `out` is full
        skip = 0;
    }
    return count;
}

/// Moves what can be moved without blocking. Returns the final result, or kPending: the rest, from *moved on,
/// has to go to the pool.
int64_t transfer_now(File& file, std::span<const Part> parts, uint64_t length, Transfer transfer,
                     uint64_t* moved) {
    const bool positioned = transfer.offset >= 0;
    if (length > kInlineBytes || (!file.in_memory && (file.nowait_refused[transfer.write] || !positioned)))
        return kPending;
    while (*moved < length) {
        iovec pieces[kInlinePieces];
        uint64_t covered;
        const size_t count = slice(parts, *moved, pieces, &covered);
        const int64_t n = transfer.once(file, {pieces, count}, file.in_memory ? 0 : RWF_NOWAIT);
        if (n == -EOPNOTSUPP && !file.in_memory) file.nowait_refused[transfer.write] = true;
        if (n == -EAGAIN || n == -EOPNOTSUPP) return kPending;
        if (n < 0 && *moved == 0) return n;
        if (n <= 0) break;  // the end of the file; an error after some bytes shows at the next call
        *moved += static_cast<uint64_t>(n);
        if (positioned) transfer.offset += n;
    }
    return static_cast<int64_t>(*moved);
}

int64_t transfer_elsewhere(Client& client, Task& task, std::shared_ptr<File> file,
                           std::span<const Part> parts, uint64_t length, Transfer transfer, uint64_t moved) {
    std::vector<iovec> pieces;
    uint64_t covered = 0;
    while (moved + covered < length) {
        std::array<iovec, kInlinePieces> some;
        uint64_t bytes;
        const size_t count = slice(parts, moved + covered, some, &bytes);
        pieces.insert(pieces.end(), some.begin(), some.begin() + count);
        covered += bytes;
    }
    if (transfer.offset >= 0) transfer.offset += static_cast<int64_t>(moved);
    BlockingPool& pool = pool_for(client, *file);
    auto job = std::make_unique<TransferJob>(std::move(file), transfer, std::move(pieces),
                                             static_cast<int64_t>(moved), client.cancel_fd(task));
    for (const Part& part : parts)
        job->pin(*part.region);
    return client.run_elsewhere(task, std::move(job), pool);
}

int64_t transfer(Client& client, Task& task, const Operands& operands, File& file,
                 std::span<const Part> parts, uint64_t length, bool write) {
    Transfer transfer{write, -1};
    if (int err = check_offset(file, operands.offset, &transfer.offset)) return err;
    if (length == 0) return 0;
    uint64_t moved = 0;
    if (file.kind != File::Kind::kStream) {
        const int64_t result = transfer_now(file, parts, length, transfer, &moved);
        if (result != kPending) return result;
    }
    return transfer_elsewhere(client, task, client.handles().share<File>(operands.handle), parts, length,
                              transfer, moved);
}

int find_file(Client& client, uint64_t handle, bool write, File** out) {
    File* file = client.handles().get<File>(handle);
    if (file == nullptr) return -EBADF;
    if (file->kind == File::Kind::kDirectory) return -EISDIR;
    *out = file;
    return (write ? file->writable : file->readable) ? 0 : -EBADF;
}

/// The same on a socket, for a program that reads and writes its descriptors alike.
int64_t socket_transfer(Client& client, Task& task, const Operands& operands, std::span<const fc_iov> iovs,
                        bool write) {
    MemorySpans memory;
    for (const fc_iov& iov : iovs) {
        if (int err = memory.add(client, iov.region, iov.buffer, iov.length, !write)) return err;
    }
    task.cmd.length = static_cast<uint32_t>(memory.bytes());  // what a short transfer is judged by
    const auto move = write ? socket_write : socket_read;
    return move(client, task, operands.handle, operands.offset, std::move(memory));
}

/// A read of what the file's mapped windows have. False: it takes a system call.
bool read_window(Client& client, File& file, const Operands& operands, const Region& region) {
    if (operands.length > kInlineBytes || operands.offset > INT64_MAX - kInlineBytes) return false;
    WindowCache& windows = client.worker().windows();
    const MappedWindow* window = windows.find(file, operands.offset, operands.length);
    if (window == nullptr) return false;
    return windows.copy(file, *window, window->file_size(), operands.offset, region, operands.buffer,
                        operands.length);
}

int64_t transfer_op(Client& client, Task& task, const Operands& operands, bool write) {
    if (client.handles().get<Socket>(operands.handle) != nullptr) {
        const fc_iov all{operands.buffer, task.cmd.region, operands.length};
        return socket_transfer(client, task, operands, {&all, 1}, write);
    }
    File* file = nullptr;
    if (int err = find_file(client, operands.handle, write, &file)) return err;
    if (operands.length > FC_MAX_TRANSFER) return -EINVAL;
    Part part{nullptr, operands.buffer, operands.length};
    if (int err = find_memory(client, task, operands, !write, &part.region)) return err;
    if (!write && read_window(client, *file, operands, *part.region)) return operands.length;
    return transfer(client, task, operands, *file, {&part, 1}, operands.length, write);
}

int64_t vector_op(Client& client, Task& task, const Operands& operands, bool write) {
    File* file = nullptr;
    const bool socket = client.handles().get<Socket>(operands.handle) != nullptr;
    if (int err = socket ? 0 : find_file(client, operands.handle, write, &file)) return err;
    std::array<fc_iov, FC_MAX_IOV> iovs;
    size_t count = 0;
    if (int err = read_iovs(client, task, operands, iovs, &count)) return err;
    if (socket) return socket_transfer(client, task, operands, std::span(iovs).first(count), write);
    std::array<Part, FC_MAX_IOV> parts;
    uint64_t length = 0;
    for (size_t i = 0; i < count; i++) {
        const fc_iov& iov = iovs[i];
        parts[i] = {nullptr, iov.buffer, iov.length};
        if (int err = find_range(client, iov.region, iov.buffer, iov.length, !write, &parts[i].region))
            return err;
        length += iov.length;
    }
    if (length > FC_MAX_TRANSFER) return -EINVAL;
    task.cmd.length = static_cast<uint32_t>(length);  // what a short transfer is judged by
    return transfer(client, task, operands, *file, {parts.data(), count}, length, write);
}

}  // namespace

int64_t op_read(Client& client, Task& task, const Operands& operands) {
    return transfer_op(client, task, operands, false);
}

int64_t op_write(Client& client, Task& task, const Operands& operands) {
    return transfer_op(client, task, operands, true);
}

int64_t op_readv(Client& client, Task& task, const Operands& operands) {
    return vector_op(client, task, operands, false);
}

int64_t op_writev(Client& client, Task& task, const Operands& operands) {
    return vector_op(client, task, operands, true);
}

}  // namespace farcall
