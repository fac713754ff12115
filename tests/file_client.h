// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/test_client.h"

namespace farcall::test {

/// The ops on files as calls, over a TestClient. Fixed places in the arena hold their operands. Each returns
/// the result of its event.
class FileClient {
  public:
    static constexpr uint64_t kPath = 4096;     ///< up to 16 KiB
    static constexpr uint64_t kIov = 20480;     ///< arrays of struct fc_iov, and the one of FC_OFFSET_IOV
    static constexpr uint64_t kOutput = 24576;  ///< what STATX and READLINK give
    static constexpr uint64_t kData = 65536;    ///< to the end of the arena

    explicit FileClient(TestClient& owner) : client(owner) {}

    /// A command with `text` as its path or paths.
    fc_command path_command(uint8_t op, uint32_t dir, std::string_view text, uint64_t offset = 0,
                            unsigned flags = 0) {
        memcpy(client.arena() + kPath, text.data(), text.size());
        fc_command c = transfer(op, 1, dir, offset, kPath, static_cast<uint32_t>(text.size()));
        c.op_flags = static_cast<uint16_t>(flags);
        return c;
    }
    static std::string pair(std::string_view first, std::string_view second) {
        return std::string(first).append(1, '\0').append(second);
    }
    void set_output(uint32_t length, uint64_t buffer = kOutput, uint32_t region = 0) {
        const fc_iov iov{buffer, region, length};
        memcpy(client.arena() + kIov, &iov, sizeof(iov));
    }
    int run(const fc_command& command) { return client.run(command).result; }

    int open(uint32_t dir, std::string_view path, unsigned flags, unsigned mode = 0644) {
        return run(path_command(FC_OP_OPEN, dir, path, mode, flags));
    }
    uint32_t must_open(uint32_t dir, std::string_view path, unsigned flags) {
        const int handle = open(dir, path, flags);
        EXPECT_GE(handle, static_cast<int>(FC_FIRST_HANDLE)) << path;
        return static_cast<uint32_t>(handle);
    }
    int close(uint32_t handle) { return run(transfer(FC_OP_CLOSE, 1, handle, 0, 0, 0)); }
    int fsync(uint32_t handle) { return run(transfer(FC_OP_FSYNC, 1, handle, 0, 0, 0)); }
    int read(uint32_t handle, uint64_t offset, uint32_t bytes) {
        return run(transfer(FC_OP_READ, 1, handle, offset, kData, bytes));
    }
    int write(uint32_t handle, uint64_t offset, std::string_view text) {
        memcpy(data(), text.data(), text.size());
        return run(transfer(FC_OP_WRITE, 1, handle, offset, kData, static_cast<uint32_t>(text.size())));
    }
    fc_command vector_command(uint8_t op, uint32_t handle, uint64_t offset, const std::vector<fc_iov>& iovs) {
        const size_t bytes = iovs.size() * sizeof(fc_iov);
        if (bytes > 0) memcpy(client.arena() + kIov, iovs.data(), bytes);
        return transfer(op, 1, handle, offset, kIov, static_cast<uint32_t>(bytes));
    }
    int ftruncate(uint32_t handle, uint64_t size) {
        return run(transfer(FC_OP_FTRUNCATE, 1, handle, size, 0, 0));
    }
    int fallocate(uint32_t handle, unsigned flags, uint64_t offset, uint64_t bytes) {
        fc_command c = transfer(FC_OP_FALLOCATE, 1, handle, offset, bytes, 0);
        c.op_flags = static_cast<uint16_t>(flags);
        return run(c);
    }
    int statx(uint32_t dir, std::string_view path, unsigned flags, fc_statx* out) {
        set_output(sizeof(fc_statx));
        const int result = run(path_command(FC_OP_STATX, dir, path, kIov, flags));
        memcpy(out, client.arena() + kOutput, sizeof(*out));
        return result;
    }
    int readlink(uint32_t dir, std::string_view path, uint32_t room, std::string* out) {
        set_output(room);
        const int result = run(path_command(FC_OP_READLINK, dir, path, kIov));
        if (result >= 0) *out = output(static_cast<size_t>(result));
        return result;
    }
    int getdents(uint32_t dir, uint64_t cookie, uint32_t room) {
        return run(transfer(FC_OP_GETDENTS, 1, dir, cookie, kData, room));
    }
    int mkdir(uint32_t dir, std::string_view path, uint64_t mode = 0755) {
        return run(path_command(FC_OP_MKDIR, dir, path, mode));
    }
    int unlink(uint32_t dir, std::string_view path, unsigned flags = 0) {
        return run(path_command(FC_OP_UNLINK, dir, path, 0, flags));
    }
    int symlink(std::string_view target, uint32_t dir, std::string_view path) {
        return run(path_command(FC_OP_SYMLINK, dir, pair(target, path)));
    }
    int rename(uint32_t dir, std::string_view from, uint32_t to_dir, std::string_view to,
               unsigned flags = 0) {
        return run(path_command(FC_OP_RENAME, dir, pair(from, to), to_dir, flags));
    }
    int link(uint32_t dir, std::string_view from, uint32_t to_dir, std::string_view to) {
        return run(path_command(FC_OP_LINK, dir, pair(from, to), to_dir));
    }
    int setattr(uint32_t dir, std::string_view path, const fc_setattr& attributes, unsigned flags = 0) {
        memcpy(client.arena() + kIov, &attributes, sizeof(attributes));
        return run(path_command(FC_OP_SETATTR, dir, path, kIov, flags));
    }
    int statfs(uint32_t handle, fc_statfs* out) {
        const int result = run(transfer(FC_OP_STATFS, 1, handle, 0, kOutput, sizeof(*out)));
        memcpy(out, client.arena() + kOutput, sizeof(*out));
        return result;
    }
    int mknod(uint32_t dir, std::string_view path, uint64_t mode) {
        return run(path_command(FC_OP_MKNOD, dir, path, mode));
    }
    int64_t seek(uint32_t handle, uint64_t offset, unsigned how) {
        fc_command c = transfer(FC_OP_SEEK, 1, handle, offset, kOutput, 8);
        c.op_flags = static_cast<uint16_t>(how);
        const int result = run(c);
        int64_t found = 0;
        memcpy(&found, client.arena() + kOutput, sizeof(found));
        return result < 0 ? result : found;
    }
    int getxattr(uint32_t dir, std::string_view path, std::string_view name, uint32_t room,
                 std::string* out) {
        set_output(room);
        const int result = run(path_command(FC_OP_GETXATTR, dir, pair(path, name), kIov));
        if (result >= 0 && room > 0) *out = output(static_cast<size_t>(result));
        return result;
    }
    int setxattr(uint32_t dir, std::string_view path, std::string_view name, std::string_view value,
                 unsigned flags = 0) {
        memcpy(data(), value.data(), value.size());
        set_output(static_cast<uint32_t>(value.size()), kData);
        return run(path_command(FC_OP_SETXATTR, dir, pair(path, name), kIov, flags));
    }
    int removexattr(uint32_t dir, std::string_view path, std::string_view name) {
        return run(path_command(FC_OP_REMOVEXATTR, dir, pair(path, name)));
    }
    int listxattr(uint32_t dir, std::string_view path, uint32_t room, std::string* out) {
        set_output(room);
        const int result = run(path_command(FC_OP_LISTXATTR, dir, path, kIov));
        if (result >= 0 && room > 0) *out = output(static_cast<size_t>(result));
        return result;
    }
    static fc_command copy_command(uint8_t op, uint32_t in, uint64_t in_offset, uint32_t out,
                                   uint64_t out_offset, uint32_t bytes) {
        fc_command c = transfer(op, 1, in, in_offset, out_offset, bytes);
        c.region = out;
        return c;
    }
    int copy(uint32_t in, uint64_t in_offset, uint32_t out, uint64_t out_offset, uint32_t bytes) {
        return run(copy_command(FC_OP_COPY, in, in_offset, out, out_offset, bytes));
    }

    std::byte* data() { return client.arena() + kData; }
    std::string output(size_t bytes) {
        return {reinterpret_cast<const char*>(client.arena() + kOutput), bytes};
    }
    std::string text(size_t bytes) { return {reinterpret_cast<const char*>(data()), bytes}; }

    TestClient& client;
};

}  // namespace farcall::test
