// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directories: their names come from the host as it has them, with its cookies as positions. What
 * did not fit into the caller's buffer is asked for again.
 */
#include <linux/dcache.h>

#include "fs.h"

#define FC_NAMES_BYTES 32768u

/* Names that can't be: the host's kernel makes none, so these bytes are no names. */
static bool fc_dirent_ok(const struct fc_dirent *entry, u32 room)
{
	u32 head = offsetof(struct fc_dirent, name);

	return room >= sizeof(*entry) && entry->reclen >= sizeof(*entry) && entry->reclen <= room &&
	       !(entry->reclen & 7) &&
	       strnlen(entry->name, entry->reclen - head) < entry->reclen - head;
}

static bool fc_emit(struct file *file, struct dir_context *ctx, const struct fc_dirent *entry)
{
	size_t length = strlen(entry->name);

	if (!strcmp(entry->name, "."))
		return dir_emit_dot(file, ctx);
	/* What is above the share is not the guest's business. */
	if (!strcmp(entry->name, ".."))
		return dir_emit_dotdot(file, ctx);
	return dir_emit(ctx, entry->name, length, entry->inode, entry->type);
}

/* 1: go on; 0: the caller has enough. */
static int fc_emit_all(struct file *file, struct dir_context *ctx, const void *buf, u32 bytes)
{
	u32 at = 0;

	while (at < bytes) {
		const struct fc_dirent *entry = buf + at;

		if (!fc_dirent_ok(entry, bytes - at))
			return -EIO;
		if (!fc_emit(file, ctx, entry))
			return 0;
		ctx->pos = entry->next;
		at += entry->reclen;
	}
	return 1;
}

static int fc_iterate(struct file *file, struct dir_context *ctx)
{
	struct fc_fs *fs = fc_fs_of(file_inode(file)->i_sb);
	struct fc_handle *handle = file->private_data;
	int ret;

	do {
		/* Emitting may fault, and wait for what others hold. */
		void *buf = fc_kbuf_wait(fs->kernel, FC_NAMES_BYTES, true);

		if (!buf)
			return -ENODEV;
		ret = fc_transfer(fs, FC_OP_GETDENTS, handle->number, ctx->pos, buf,
				  FC_NAMES_BYTES);
		if (ret > 0)
			ret = fc_emit_all(file, ctx, buf, min_t(u32, ret, FC_NAMES_BYTES));
		fc_kbuf_free(fs->kernel, buf, FC_NAMES_BYTES);
	} while (ret > 0 && !fatal_signal_pending(current));
	return ret;
}

static loff_t fc_dir_llseek(struct file *file, loff_t offset, int whence)
{
	/* Positions are the host's cookies: any number may be one. */
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return generic_file_llseek_size(file, offset, whence, S64_MAX, 0);
}

static int fc_dir_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct fc_handle *handle = file->private_data;
	struct fc_command cmd = { .opcode = FC_OP_FSYNC,
				  .handle = handle->number,
				  .op_flags = datasync ? FC_FSYNC_DATA : 0 };

	return fc_kcall(fc_fs_of(file_inode(file)->i_sb)->kernel, &cmd, 0);
}

const struct file_operations fc_dir_fops = {
	.open = fc_open,
	.release = fc_release,
	.read = generic_read_dir,
	.iterate_shared = fc_iterate,
	.llseek = fc_dir_llseek,
	.fsync = fc_dir_fsync,
};
