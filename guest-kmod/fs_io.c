// SPDX-License-Identifier: GPL-2.0-only
/* Reading and writing files: straight from and to the host, in pieces that go through the arena. */
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "fs.h"

#define FC_READS 4 /* under way at a time */

static struct fc_command fc_transfer_command(struct fc_fs *fs, u8 opcode, u32 handle, loff_t pos,
					     void *buf, u32 bytes)
{
	return (struct fc_command){ .opcode = opcode,
				    .handle = handle,
				    .offset = pos,
				    .buffer = fc_kbuf_offset(fs->kernel, buf),
				    .length = bytes };
}

int fc_transfer(struct fc_fs *fs, u8 opcode, u32 handle, loff_t pos, void *buf, u32 bytes)
{
	struct fc_command cmd = fc_transfer_command(fs, opcode, handle, pos, buf, bytes);

	return fc_kcall(fs->kernel, &cmd, 0);
}

/* A piece of a transfer. */
struct fc_piece {
	struct fc_kwait wait;
	void *buf;
	u32 bytes;
};

static int fc_piece_begin(struct fc_piece *p, struct fc_fs *fs, u8 opcode, u32 handle, loff_t pos)
{
	p->wait.op.cmd = fc_transfer_command(fs, opcode, handle, pos, p->buf, p->bytes);
	return fc_kcall_begin(fs->kernel, &p->wait);
}

static void fc_piece_free(struct fc_piece *p, struct fc_fs *fs)
{
	fc_kbuf_free(fs->kernel, p->buf, p->bytes);
}

/* Begins as many reads as make sense; the first waits for memory, the others do without. */
static int fc_reads_begin(struct fc_piece *pieces, struct fc_fs *fs, u32 handle, loff_t pos,
			  size_t bytes, int *count)
{
	int ret = 0;

	for (*count = 0; *count < FC_READS && bytes; ++*count) {
		struct fc_piece *p = &pieces[*count];

		p->bytes = min_t(size_t, bytes, FC_CHUNK);
		p->buf = *count ? fc_kbuf_alloc(fs->kernel, p->bytes) :
				  fc_kbuf_wait(fs->kernel, p->bytes, true);
		if (!p->buf)
			return *count ? 0 : -ENODEV;
		ret = fc_piece_begin(p, fs, FC_OP_READ, handle, pos);
		if (ret) {
			fc_piece_free(p, fs);
			return ret;
		}
		pos += p->bytes;
		bytes -= p->bytes;
	}
	return 0;
}

/* One round: returns the bytes that were read, or an error if there are none. *more: the file may
 * go on. */
static ssize_t fc_read_some(struct file *file, loff_t pos, struct iov_iter *to, bool *more)
{
	struct fc_fs *fs = fc_fs_of(file_inode(file)->i_sb);
	struct fc_handle *handle = file->private_data;
	struct fc_piece pieces[FC_READS];
	ssize_t done = 0;
	int i, count, ret;

	*more = true;
	ret = fc_reads_begin(pieces, fs, handle->number, pos, iov_iter_count(to), &count);
	for (i = 0; i < count; i++) {
		int got = fc_kcall_end(fs->kernel, &pieces[i].wait);
		size_t copied = 0;

		if (*more && got > 0)
			copied = copy_to_iter(pieces[i].buf, min_t(u32, got, pieces[i].bytes), to);
		if (*more && got < 0)
			ret = got;
		else if (*more && copied < got)
			ret = -EFAULT;
		*more &= copied == pieces[i].bytes;
		done += copied;
		fc_piece_free(&pieces[i], fs);
	}
	*more &= !ret;
	return done ? done : ret;
}

ssize_t fc_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	ssize_t done = 0, ret;
	bool more = true;

	if (!iov_iter_count(to))
		return 0;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	ret = fc_pages_flush(file_inode(file), iocb->ki_pos, iov_iter_count(to));
	while (!ret && more && iov_iter_count(to)) {
		ssize_t got = fc_read_some(file, iocb->ki_pos, to, &more);

		if (got < 0)
			ret = got;
		else
			done += got;
		iocb->ki_pos += max_t(ssize_t, got, 0);
		if (fatal_signal_pending(current))
			break;
	}
	return done ? done : ret;
}

/* Fills a piece from the caller's memory. Returns its bytes, or -EFAULT, -ENODEV. */
static int fc_piece_fill(struct fc_piece *p, struct fc_fs *fs, struct iov_iter *from, bool wait)
{
	u32 want = min_t(size_t, iov_iter_count(from), FC_CHUNK);
	size_t copied;

	p->bytes = want;
	p->buf = wait ? fc_kbuf_wait(fs->kernel, want, true) : fc_kbuf_alloc(fs->kernel, want);
	if (!p->buf)
		return wait ? -ENODEV : -EAGAIN;
	copied = copy_from_iter(p->buf, want, from);
	if (!copied) {
		fc_piece_free(p, fs);
		return -EFAULT;
	}
	return copied;
}

struct fc_writer {
	struct fc_fs *fs;
	u32 handle;
	loff_t pos; /* of the next piece */
	ssize_t done; /* of what has ended, up to what failed */
	int error;
	bool stop;
};

/* A piece has been written: from here on nothing counts if it was not all. */
static void fc_write_end(struct fc_writer *w, struct fc_piece *p, u32 bytes)
{
	int ret = fc_kcall_end(w->fs->kernel, &p->wait);

	if (ret < 0)
		w->error = ret;
	else
		w->done += ret;
	w->stop |= ret != (int)bytes;
	fc_piece_free(p, w->fs);
}

/*
 * One piece is written while the next is copied, and never two at a time: what follows one that
 * failed must not be there, and appended pieces must keep their order.
 */
static void fc_write_pieces(struct fc_writer *w, struct iov_iter *from)
{
	struct fc_piece pieces[2];
	u32 bytes[2] = {};
	int now = 0, ret;

	while (!w->stop && iov_iter_count(from)) {
		struct fc_piece *p = &pieces[now];

		ret = fc_piece_fill(p, w->fs, from, !bytes[!now]);
		if (bytes[!now]) {
			fc_write_end(w, &pieces[!now], bytes[!now]);
			bytes[!now] = 0;
			if (ret == -EAGAIN)
				continue;
		}
		if (ret < 0) {
			w->error = ret;
			break;
		}
		if (w->stop || fatal_signal_pending(current)) {
			fc_piece_free(p, w->fs);
			break;
		}
		p->wait.op.cmd =
			fc_transfer_command(w->fs, FC_OP_WRITE, w->handle, w->pos, p->buf, ret);
		w->error = fc_kcall_begin(w->fs->kernel, &p->wait);
		if (w->error) {
			fc_piece_free(p, w->fs);
			break;
		}
		bytes[now] = ret;
		w->pos += ret;
		now = !now;
	}
	if (bytes[!now])
		fc_write_end(w, &pieces[!now], bytes[!now]);
}

/* The file was changed here, and ends at `size` at least. */
void fc_grow(struct inode *inode, loff_t size)
{
	struct fc_inode *fi = fc_i(inode);

	fc_inode_changed(inode);
	spin_lock(&fi->lock);
	if (size > i_size_read(inode))
		i_size_write(inode, size);
	spin_unlock(&fi->lock);
}

/*
 * Under the inode's i_rwsem. Where a file is appended to, the position that the caller sees is the
 * guest's idea of its end, which is wrong only when the host appends at the same time; where the
 * data goes is the host's.
 */
static ssize_t fc_write_locked(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	struct fc_handle *handle = file->private_data;
	struct fc_writer w = { .fs = fc_fs_of(inode->i_sb) };
	ssize_t ret = generic_write_checks(iocb, from);
	bool append;

	if (ret <= 0)
		return ret;
	append = iocb->ki_flags & IOCB_APPEND;
	ret = fc_handle_for(file, append);
	if (!ret)
		ret = fc_pages_flush(inode, iocb->ki_pos, iov_iter_count(from));
	if (ret)
		return ret;
	w.handle = append ? handle->appending : handle->plain;
	w.pos = iocb->ki_pos;
	fc_write_pieces(&w, from);
	if (w.done) {
		fc_grow(inode, iocb->ki_pos + w.done);
		fc_pages_drop(inode, iocb->ki_pos, w.done);
		iocb->ki_pos += w.done;
	}
	return w.done ? w.done : w.error ? w.error : fatal_signal_pending(current) ? -EINTR : 0;
}

ssize_t fc_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	inode_lock(inode);
	ret = fc_write_locked(iocb, from);
	inode_unlock(inode);
	return ret > 0 ? generic_write_sync(iocb, ret) : ret;
}
