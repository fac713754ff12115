/* SPDX-License-Identifier: MIT */
/*
 * Helpers for the ops on files and directories beside open, close, read, write, fsync and stat; part of <farcall/prep.h>.
 * A path of `length` bytes (without a NUL) lies in shared memory and is relative to `directory`: FC_HANDLE_SHARE(n) or an
 * open directory. Two paths lie behind each other with one NUL between, which `length` counts.
 */
#ifndef FARCALL_PREP_FILES_H
#define FARCALL_PREP_FILES_H

#include <farcall/prep.h>

/* `iovs`: `count` (at most FC_MAX_IOV) struct fc_iov at that offset of the region, 8-aligned, until the command's event. */
static inline void farcall_prep_readv(struct fc_command *command, fc_u32 handle, fc_u64 offset, fc_u32 region,
				      fc_u64 iovs, unsigned count)
{
	farcall_prep(command, FC_OP_READV);
	command->handle = handle;
	command->offset = offset;
	farcall_prep_buffer(command, region, iovs, (fc_u32)(count * sizeof(struct fc_iov)));
}

static inline void farcall_prep_writev(struct fc_command *command, fc_u32 handle, fc_u64 offset, fc_u32 region,
				       fc_u64 iovs, unsigned count)
{
	farcall_prep_readv(command, handle, offset, region, iovs, count);
	command->opcode = FC_OP_WRITEV;
}

static inline void farcall_prep_ftruncate(struct fc_command *command, fc_u32 handle, fc_u64 size)
{
	farcall_prep(command, FC_OP_FTRUNCATE);
	command->handle = handle;
	command->offset = size;
}

static inline void farcall_prep_fallocate(struct fc_command *command, fc_u32 handle, fc_u64 offset, fc_u64 bytes,
					  unsigned fallocate_flags)
{
	farcall_prep(command, FC_OP_FALLOCATE);
	command->handle = handle;
	command->offset = offset;
	command->buffer = bytes;
	command->op_flags = (fc_u16)fallocate_flags;
}

/* For the ops below: a directory and what lies at region/path/length. */
static inline void farcall_prep_path(struct fc_command *command, enum fc_opcode opcode, fc_u32 directory,
				     fc_u32 region, fc_u64 path, fc_u32 length)
{
	farcall_prep(command, opcode);
	command->handle = directory;
	farcall_prep_buffer(command, region, path, length);
}

/*
 * Writes a struct fc_statx. length 0: of the handle itself, which then may be a file. `output` is the arena offset
 * (8-aligned) of a struct fc_iov that says where to, and stays until the command's event.
 */
static inline void farcall_prep_statx(struct fc_command *command, fc_u32 directory, fc_u32 region, fc_u64 path,
				      fc_u32 length, fc_u64 output, unsigned statx_flags)
{
	farcall_prep_path(command, FC_OP_STATX, directory, region, path, length);
	command->offset = output;
	command->op_flags = (fc_u16)statx_flags;
}

/* Its result: bytes of the target, which goes where `output` says, as in farcall_prep_statx(). */
static inline void farcall_prep_readlink(struct fc_command *command, fc_u32 directory, fc_u32 region, fc_u64 path,
					 fc_u32 length, fc_u64 output)
{
	farcall_prep_path(command, FC_OP_READLINK, directory, region, path, length);
	command->offset = output;
}

/* `attributes`: arena offset (8-aligned) of a struct fc_setattr, until the command's event. Path as farcall_prep_statx(). */
static inline void farcall_prep_setattr(struct fc_command *command, fc_u32 directory, fc_u32 region, fc_u64 path,
					fc_u32 length, fc_u64 attributes, unsigned statx_flags)
{
	farcall_prep_statx(command, directory, region, path, length, attributes, statx_flags);
	command->opcode = FC_OP_SETATTR;
}

/* Writes a struct fc_statfs of the file system that `handle` lies on. */
static inline void farcall_prep_statfs(struct fc_command *command, fc_u32 handle, fc_u32 region, fc_u64 buffer)
{
	farcall_prep_path(command, FC_OP_STATFS, handle, region, buffer, sizeof(struct fc_statfs));
}

/* Writes a u64: where the next data or hole (`how`: FC_SEEK_*) begins at or behind `offset`. -ENXIO: there is none. */
static inline void farcall_prep_seek(struct fc_command *command, fc_u32 handle, fc_u64 offset, unsigned how,
				     fc_u32 region, fc_u64 buffer)
{
	farcall_prep_path(command, FC_OP_SEEK, handle, region, buffer, sizeof(fc_u64));
	command->offset = offset;
	command->op_flags = (fc_u16)how;
}

/*
 * Extended attributes ("user.…"): a path, which may be empty, one NUL and the name lie at region/path/length; LISTXATTR
 * takes the path alone. `value`: arena offset of a struct fc_iov, where the value lies (SETXATTR) or goes to.
 */
static inline void farcall_prep_xattr(struct fc_command *command, enum fc_opcode opcode, fc_u32 directory,
				      fc_u32 region, fc_u64 path, fc_u32 length, fc_u64 value, unsigned flags)
{
	farcall_prep_statx(command, directory, region, path, length, value, flags);
	command->opcode = (fc_u8)opcode;
}

/* Writes struct fc_dirents from the cookie on: 0, `next` of the last one, or FC_OFFSET_CURRENT. Result 0: the end. */
static inline void farcall_prep_getdents(struct fc_command *command, fc_u32 directory, fc_u64 cookie, fc_u32 region,
					 fc_u64 buffer, fc_u32 length)
{
	farcall_prep_path(command, FC_OP_GETDENTS, directory, region, buffer, length);
	command->offset = cookie;
}

static inline void farcall_prep_mkdir(struct fc_command *command, fc_u32 directory, fc_u32 region, fc_u64 path,
				      fc_u32 length, unsigned mode)
{
	farcall_prep_path(command, FC_OP_MKDIR, directory, region, path, length);
	command->offset = mode;
}

/* `mode` with its type: S_IFREG, S_IFIFO or S_IFSOCK. */
static inline void farcall_prep_mknod(struct fc_command *command, fc_u32 directory, fc_u32 region, fc_u64 path,
				      fc_u32 length, unsigned mode)
{
	farcall_prep_mkdir(command, directory, region, path, length, mode);
	command->opcode = FC_OP_MKNOD;
}

static inline void farcall_prep_unlink(struct fc_command *command, fc_u32 directory, fc_u32 region, fc_u64 path,
				       fc_u32 length, unsigned unlink_flags)
{
	farcall_prep_path(command, FC_OP_UNLINK, directory, region, path, length);
	command->op_flags = (fc_u16)unlink_flags;
}

/* Two paths: the old name below `directory`, the new one below `new_directory`. */
static inline void farcall_prep_rename(struct fc_command *command, fc_u32 directory, fc_u32 new_directory,
				       fc_u32 region, fc_u64 paths, fc_u32 length, unsigned rename_flags)
{
	farcall_prep_path(command, FC_OP_RENAME, directory, region, paths, length);
	command->offset = new_directory;
	command->op_flags = (fc_u16)rename_flags;
}

/* The same for a hard link. */
static inline void farcall_prep_link(struct fc_command *command, fc_u32 directory, fc_u32 new_directory,
				     fc_u32 region, fc_u64 paths, fc_u32 length)
{
	farcall_prep_path(command, FC_OP_LINK, directory, region, paths, length);
	command->offset = new_directory;
}

/* Two paths: what the link says, and its own. */
static inline void farcall_prep_symlink(struct fc_command *command, fc_u32 directory, fc_u32 region, fc_u64 paths,
					fc_u32 length)
{
	farcall_prep_path(command, FC_OP_SYMLINK, directory, region, paths, length);
}

/* From file to file, on the host; either offset may be FC_OFFSET_CURRENT. */
static inline void farcall_prep_copy(struct fc_command *command, fc_u32 from, fc_u64 from_offset, fc_u32 to,
				     fc_u64 to_offset, fc_u32 length)
{
	farcall_prep(command, FC_OP_COPY);
	command->handle = from;
	command->offset = from_offset;
	farcall_prep_buffer(command, to, to_offset, length);
}

/* The same to what takes bytes in sequence. */
static inline void farcall_prep_sendfile(struct fc_command *command, fc_u32 from, fc_u64 from_offset, fc_u32 to,
					 fc_u32 length)
{
	farcall_prep_copy(command, from, from_offset, to, FC_OFFSET_CURRENT, length);
	command->opcode = FC_OP_SENDFILE;
}

#endif
