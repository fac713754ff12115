// SPDX-License-Identifier: GPL-2.0-only
/* Open files: what is neither reading nor writing. */
#include <linux/types.h>
/* After types.h, which it needs. */
#include <linux/falloc.h>
#include <linux/sched/signal.h>

#include "fs.h"

#define FC_COPY_CHUNK (16u << 20)

static int fc_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct fc_handle *handle = file->private_data;
	struct fc_command cmd = { .opcode = FC_OP_FSYNC,
				  .handle = handle->number,
				  .op_flags = datasync ? FC_FSYNC_DATA : 0 };
	int ret = file_write_and_wait_range(file, start, end);

	return ret ? ret : fc_kcall(fc_fs_of(file_inode(file)->i_sb)->kernel, &cmd, 0);
}

/* close(): what was written through mappings must be on the host, as what was written otherwise is.
 */
static int fc_flush(struct file *file, fl_owner_t id)
{
	return file->f_mode & FMODE_WRITE ? fc_pages_flush(file_inode(file), 0, LLONG_MAX) : 0;
}

static loff_t fc_seek_data(struct file *file, loff_t offset, int whence)
{
	struct fc_fs *fs = fc_fs_of(file_inode(file)->i_sb);
	struct fc_handle *handle = file->private_data;
	u64 *found = fc_kbuf_wait(fs->kernel, sizeof(*found), false);
	struct fc_command cmd = { .opcode = FC_OP_SEEK,
				  .handle = handle->number,
				  .offset = offset,
				  .length = sizeof(*found),
				  .op_flags = whence == SEEK_DATA ? FC_SEEK_DATA : FC_SEEK_HOLE };
	loff_t ret;

	if (!found)
		return -ENODEV;
	cmd.buffer = fc_kbuf_offset(fs->kernel, found);
	ret = fc_kcall(fs->kernel, &cmd, 0);
	if (!ret)
		ret = vfs_setpos(file, *found, file_inode(file)->i_sb->s_maxbytes);
	fc_kbuf_free(fs->kernel, found, sizeof(*found));
	return ret;
}

static loff_t fc_llseek(struct file *file, loff_t offset, int whence)
{
	int ret = 0;

	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		ret = fc_pages_flush(file_inode(file), 0, LLONG_MAX);
		if (ret)
			return ret;
		return offset < 0 ? -ENXIO : fc_seek_data(file, offset, whence);
	}
	if (whence == SEEK_END)
		ret = fc_inode_fetch(file_inode(file), file->f_path.dentry);
	return ret ? ret : generic_file_llseek(file, offset, whence);
}

static long fc_fallocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	struct inode *inode = file_inode(file);
	struct fc_handle *handle = file->private_data;
	struct fc_command cmd = { .opcode = FC_OP_FALLOCATE,
				  .handle = handle->number,
				  .offset = offset,
				  .buffer = length,
				  .op_flags = mode };
	int ret;

	BUILD_BUG_ON(FC_FALLOCATE_KEEP_SIZE != FALLOC_FL_KEEP_SIZE ||
		     FC_FALLOCATE_PUNCH_HOLE != FALLOC_FL_PUNCH_HOLE ||
		     FC_FALLOCATE_ZERO_RANGE != FALLOC_FL_ZERO_RANGE);
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	inode_lock(inode);
	ret = fc_pages_flush(inode, offset, length);
	if (!ret)
		ret = fc_kcall(fc_fs_of(inode->i_sb)->kernel, &cmd, 0);
	if (!ret) {
		fc_pages_drop(inode, offset, length);
		fc_grow(inode, mode & FALLOC_FL_KEEP_SIZE ? 0 : offset + length);
	}
	inode_unlock(inode);
	return ret;
}

/* Stays on the host, which bounds how long one command may take by its length. */
static ssize_t fc_copy(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
		       size_t length)
{
	struct fc_handle *from = in->private_data, *to = out->private_data;
	struct fc_kernel *k = fc_fs_of(file_inode(in)->i_sb)->kernel;
	ssize_t done = 0;
	int ret = 0;

	while (length > done && !fatal_signal_pending(current)) {
		struct fc_command cmd = { .opcode = FC_OP_COPY,
					  .handle = from->number,
					  .offset = pos_in + done,
					  .region = to->plain,
					  .buffer = pos_out + done,
					  .length = min_t(size_t, length - done, FC_COPY_CHUNK) };

		ret = fc_kcall(k, &cmd, 0);
		if (ret <= 0)
			break;
		done += ret;
		if (ret < cmd.length)
			break;
	}
	return done ? done : ret;
}

static ssize_t fc_copy_file_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
				  size_t length, unsigned int flags)
{
	struct inode *inode = file_inode(out);
	ssize_t ret;

	if (fc_fs_of(file_inode(in)->i_sb)->kernel != fc_fs_of(inode->i_sb)->kernel)
		return -EXDEV;
	ret = fc_pages_flush(file_inode(in), pos_in, length);
	if (ret)
		return ret;
	inode_lock(inode);
	ret = fc_handle_for(out, false);
	if (!ret)
		ret = fc_pages_flush(inode, pos_out, length);
	if (!ret)
		ret = fc_copy(in, pos_in, out, pos_out, length);
	if (ret > 0) {
		fc_grow(inode, pos_out + ret);
		fc_pages_drop(inode, pos_out, ret);
	}
	inode_unlock(inode);
	return ret;
}

const struct file_operations fc_file_fops = {
	.open = fc_open,
	.flush = fc_flush,
	.release = fc_release,
	.llseek = fc_llseek,
	.read_iter = fc_read_iter,
	.write_iter = fc_write_iter,
	.splice_read = fc_splice_read,
	.splice_write = iter_file_splice_write,
	.mmap = fc_mmap,
	.fsync = fc_fsync,
	.fallocate = fc_fallocate,
	.copy_file_range = fc_copy_file_range,
};
