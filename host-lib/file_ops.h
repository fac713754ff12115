// SPDX-License-Identifier: MIT
#pragma once

#include "host-lib/file_job.h"

namespace farcall {

// Rows of the op table: files and directories.

// file_ops.cc
int64_t op_open(Client& client, Task& task, const Operands& operands);
int64_t op_close(Client& client, Task& task, const Operands& operands);
int64_t op_fsync(Client& client, Task& task, const Operands& operands);
int64_t op_ftruncate(Client& client, Task& task, const Operands& operands);
int64_t op_fallocate(Client& client, Task& task, const Operands& operands);

// transfer_ops.cc
int64_t op_read(Client& client, Task& task, const Operands& operands);
int64_t op_write(Client& client, Task& task, const Operands& operands);
int64_t op_readv(Client& client, Task& task, const Operands& operands);
int64_t op_writev(Client& client, Task& task, const Operands& operands);

// stat_ops.cc
int64_t op_stat(Client& client, Task& task, const Operands& operands);
int64_t op_statx(Client& client, Task& task, const Operands& operands);
int64_t op_getdents(Client& client, Task& task, const Operands& operands);

// path_ops.cc
int64_t op_rename(Client& client, Task& task, const Operands& operands);
int64_t op_unlink(Client& client, Task& task, const Operands& operands);
int64_t op_mkdir(Client& client, Task& task, const Operands& operands);
int64_t op_symlink(Client& client, Task& task, const Operands& operands);
int64_t op_readlink(Client& client, Task& task, const Operands& operands);
int64_t op_link(Client& client, Task& task, const Operands& operands);

// attribute_ops.cc
int64_t op_setattr(Client& client, Task& task, const Operands& operands);
int64_t op_statfs(Client& client, Task& task, const Operands& operands);
int64_t op_mknod(Client& client, Task& task, const Operands& operands);
int64_t op_seek(Client& client, Task& task, const Operands& operands);

// xattr_ops.cc
int64_t op_getxattr(Client& client, Task& task, const Operands& operands);
int64_t op_setxattr(Client& client, Task& task, const Operands& operands);
int64_t op_removexattr(Client& client, Task& task, const Operands& operands);
int64_t op_listxattr(Client& client, Task& task, const Operands& operands);

// copy_ops.cc
int64_t op_copy(Client& client, Task& task, const Operands& operands);
int64_t op_sendfile(Client& client, Task& task, const Operands& operands);

}  // namespace farcall
