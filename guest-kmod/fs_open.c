// SPDX-License-Identifier: GPL-2.0-only
/* Open files, and the handles that they stand for. */
#include <linux/namei.h>
#include <linux/slab.h>

#include "fs.h"

struct fc_handle *fc_handle_find(struct inode *inode, fmode_t mode, bool positional)
{
	struct fc_inode *fi = fc_i(inode);
	struct fc_handle *handle, *found = NULL;

	spin_lock(&fi->lock);
	list_for_each_entry(handle, &fi->handles, link) {
		if ((handle->mode & mode) != mode || (positional && !handle->plain))
			continue;
		refcount_inc(&handle->refs);
		found = handle;
		break;
	}
	spin_unlock(&fi->lock);
	return found;
}

void fc_handle_put(struct fc_handle *handle)
{
	struct inode *inode = handle->inode;
	struct fc_inode *fi = fc_i(inode);

	/* Under the lock, where others find it. */
	if (!refcount_dec_and_lock(&handle->refs, &fi->lock))
		return;
	list_del(&handle->link);
	spin_unlock(&fi->lock);
	if (handle->plain)
		fc_close(fc_fs_of(inode->i_sb), handle->plain);
	if (handle->appending)
		fc_close(fc_fs_of(inode->i_sb), handle->appending);
	kfree(handle);
}

static void fc_handle_attach(struct fc_handle *handle, struct file *file, struct inode *inode,
			     u32 number)
{
	struct fc_inode *fi = fc_i(inode);
	bool append;

	refcount_set(&handle->refs, 1);
	handle->inode = inode;
	handle->number = number;
	handle->mode = file->f_mode & (FMODE_READ | FMODE_WRITE);
	append = file->f_flags & O_APPEND && handle->mode & FMODE_WRITE;
	handle->plain = append ? 0 : number;
	handle->appending = append ? number : 0;
	file->private_data = handle;
	if (S_ISREG(inode->i_mode))
		file->f_mode |= FMODE_CAN_ODIRECT;
	spin_lock(&fi->lock);
	list_add_tail(&handle->link, &fi->handles);
	spin_unlock(&fi->lock);
}

static u16 fc_open_flags(fmode_t mode, unsigned int flags)
{
	return (mode & FMODE_READ ? FC_OPEN_READ : 0) | (mode & FMODE_WRITE ? FC_OPEN_WRITE : 0) |
	       (flags & O_APPEND && mode & FMODE_WRITE ? FC_OPEN_APPEND : 0) | FC_OPEN_NOFOLLOW;
}

/* Opens the name; the result is the handle, *st its attributes. */
static int fc_open_name(struct fc_fs *fs, struct dentry *dentry, u16 op_flags, umode_t mode,
			struct fc_statx *st)
{
	struct fc_fscall c = { .fs = fs };
	int ret = fc_call_prepare(&c, FC_OP_OPEN,
				  &(struct fc_call_names){ .dentry = dentry, .out = 8 });

	c.cmd.op_flags = op_flags;
	c.cmd.offset = mode & 0777;
	if (!ret && !c.cmd.length) {
		/* The share itself: its own handle has no position. */
		*(char *)c.out = '.';
		c.cmd.buffer = fc_kbuf_offset(fs->kernel, c.out);
		c.cmd.length = 1;
	}
	if (!ret)
		ret = fc_call_run_stat(&c, st, true);
	fc_call_end(&c);
	return ret;
}

/* The dentry's inode is not what the host has opened, or may be used by others than before. */
static bool fc_open_is_stale(struct inode *inode, const struct fc_statx *st, u64 seen)
{
	umode_t mode = inode->i_mode;
	kuid_t uid = inode->i_uid;
	kgid_t gid = inode->i_gid;

	if (!fc_inode_is(inode, st))
		return true;
	if (S_ISREG(inode->i_mode))
		fc_pages_check(inode, st);
	fc_inode_apply(inode, st, seen);
	return mode != inode->i_mode || !uid_eq(uid, inode->i_uid) || !gid_eq(gid, inode->i_gid);
}

int fc_open(struct inode *inode, struct file *file)
{
	struct fc_fs *fs = fc_fs_of(inode->i_sb);
	struct dentry *dentry = file->f_path.dentry;
	u16 op_flags = fc_open_flags(file->f_mode, file->f_flags) |
		       (S_ISDIR(inode->i_mode) ? FC_OPEN_DIRECTORY : 0);
	u64 seen = fc_fs_changes(inode->i_sb);
	struct fc_handle *handle;
	struct fc_statx st;
	int ret;

	if (d_unlinked(dentry))
		return -ENOENT;
	handle = kmalloc(sizeof(*handle), GFP_KERNEL_ACCOUNT);
	if (!handle)
		return -ENOMEM;
	ret = fc_open_name(fs, dentry, op_flags, 0, &st);
	if (ret >= 0 && fc_open_is_stale(inode, &st, seen)) {
		fc_close(fs, ret);
		ret = -ENOENT;
	}
	if (ret < 0) {
		kfree(handle);
		/* The name means something else by now: look it up again. */
		return ret == -ENOENT || ret == -ENOTDIR || ret == -ELOOP ? -EOPENSTALE : ret;
	}
	fc_handle_attach(handle, file, inode, ret);
	return 0;
}

static int fc_opened(struct inode *inode, struct file *file)
{
	return 0;
}

/* Makes the file, which is not there, and opens it. */
static int fc_create_open(struct inode *dir, struct dentry *dentry, struct file *file, umode_t mode)
{
	struct fc_fs *fs = fc_fs_of(dir->i_sb);
	struct fc_handle *handle = kmalloc(sizeof(*handle), GFP_KERNEL_ACCOUNT);
	u64 seen = fc_fs_changes(dir->i_sb);
	struct inode *inode;
	struct fc_statx st;
	int ret, number;

	if (!handle)
		return -ENOMEM;
	number = fc_open_name(fs, dentry,
			      fc_open_flags(file->f_mode, file->f_flags) | FC_OPEN_CREATE |
				      FC_OPEN_EXCLUSIVE,
			      mode, &st);
	if (number < 0) {
		kfree(handle);
		/* That it is not there was only thought. */
		d_drop(dentry);
		return number;
	}
	fc_inode_changed(dir);
	if ((st.stat.mode & 07777) != (mode & 07777) && !fc_set_mode(fs, dentry, mode))
		st.stat.mode = (st.stat.mode & S_IFMT) | (mode & 07777);
	inode = fc_iget(dir->i_sb, &st, seen);
	if (IS_ERR(inode)) {
		fc_close(fs, number);
		kfree(handle);
		return PTR_ERR(inode);
	}
	fc_handle_attach(handle, file, inode, number);
	dentry->d_time = jiffies;
	if (d_in_lookup(dentry))
		d_add(dentry, inode);
	else
		d_instantiate(dentry, inode);
	file->f_mode |= FMODE_CREATED;
	ret = finish_open(file, dentry, fc_opened);
	/* Otherwise the file's release does that. */
	if (ret && !(file->f_mode & FMODE_OPENED))
		fc_handle_put(handle);
	return ret;
}

int fc_atomic_open(struct inode *dir, struct dentry *dentry, struct file *file, unsigned int flags,
		   umode_t mode)
{
	struct dentry *found = NULL;
	int ret;

	if (dentry->d_name.len > NAME_MAX)
		return -ENAMETOOLONG;
	/* To make it whether or not it is there, it has to be looked for first; exclusively, the
	 * host tells. */
	if (d_in_lookup(dentry) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL)) {
		found = fc_lookup(dir, dentry, 0);
		if (IS_ERR(found))
			return PTR_ERR(found);
		if (found)
			dentry = found;
	}
	if (!(flags & O_CREAT) || d_really_is_positive(dentry))
		return finish_no_open(file, found);
	ret = fc_create_open(dir, dentry, file, mode);
	/* Somebody on the host was faster: from the beginning. */
	if (ret == -EEXIST && !(flags & O_EXCL))
		ret = -EOPENSTALE;
	dput(found);
	return ret;
}

/* fcntl() changes O_APPEND, and a single write may append: the host's file is opened for either. */
int fc_handle_for(struct file *file, bool append)
{
	struct inode *inode = file_inode(file);
	struct fc_fs *fs = fc_fs_of(inode->i_sb);
	struct fc_handle *handle = file->private_data;
	u32 *wanted = append ? &handle->appending : &handle->plain;
	struct fc_statx st;
	int ret;

	if (*wanted)
		return 0;
	ret = fc_open_name(fs, file->f_path.dentry,
			   fc_open_flags(handle->mode, append ? O_APPEND : 0), 0, &st);
	if (ret < 0)
		return ret;
	if (!fc_inode_is(inode, &st)) {
		fc_close(fs, ret);
		return -ESTALE;
	}
	/* Under the lock, where others look for one. */
	spin_lock(&fc_i(inode)->lock);
	*wanted = ret;
	spin_unlock(&fc_i(inode)->lock);
	return 0;
}

int fc_release(struct inode *inode, struct file *file)
{
	if (S_ISREG(inode->i_mode) && file->f_mode & FMODE_WRITE)
		fc_pages_flush(inode, 0, LLONG_MAX);
	fc_handle_put(file->private_data);
	return 0;
}
