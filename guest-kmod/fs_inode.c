// SPDX-License-Identifier: GPL-2.0-only
/* Inodes: who they are on the host, and their attributes. */
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/statfs.h>

#include "fs.h"

bool fc_inode_is(struct inode *inode, const struct fc_statx *st)
{
	const struct fc_inode *fi = fc_i(inode);

	return fi->number == st->stat.inode && fi->device == st->stat.device &&
	       !((inode->i_mode ^ st->stat.mode) & S_IFMT) &&
	       fi->btime_known == !!(st->known & FC_STATX_BTIME_KNOWN) &&
	       (!fi->btime_known || fi->btime == st->btime_ns);
}

static int fc_inode_test(struct inode *inode, void *data)
{
	return fc_inode_is(inode, data);
}

static int fc_inode_set(struct inode *inode, void *data)
{
	const struct fc_statx *st = data;
	struct fc_inode *fi = fc_i(inode);

	fi->number = st->stat.inode;
	fi->device = st->stat.device;
	fi->btime_known = st->known & FC_STATX_BTIME_KNOWN;
	fi->btime = fi->btime_known ? st->btime_ns : 0;
	inode->i_ino = st->stat.inode;
	inode->i_mode = st->stat.mode;
	return 0;
}

static void fc_inode_set_ops(struct inode *inode)
{
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &fc_file_iops;
		inode->i_fop = &fc_file_fops;
		inode->i_mapping->a_ops = &fc_aops;
		break;
	case S_IFDIR:
		inode->i_op = &fc_dir_iops;
		inode->i_fop = &fc_dir_fops;
		break;
	case S_IFLNK:
		inode->i_op = &fc_link_iops;
		inode_nohighmem(inode);
		break;
	default:
		/* FIFOs and sockets connect processes of the guest; devices can't be opened. */
		inode->i_op = &fc_file_iops;
		init_special_inode(inode, inode->i_mode, 0);
	}
}

struct inode *fc_iget(struct super_block *sb, const struct fc_statx *st, u64 seen)
{
	struct inode *inode = iget5_locked(sb, hash_64(st->stat.inode ^ st->stat.device, 32),
					   fc_inode_test, fc_inode_set, (void *)st);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!(inode->i_state & I_NEW)) {
		fc_inode_update(inode, st, seen);
		return inode;
	}
	/* The host keeps the times. */
	inode->i_flags |= S_NOATIME | S_NOCMTIME;
	fc_inode_set_ops(inode);
	fc_i(inode)->pages_mtime = st->stat.mtime_ns;
	fc_i(inode)->pages_size = st->stat.size;
	fc_inode_apply(inode, st, 0);
	unlock_new_inode(inode);
	return inode;
}

u64 fc_fs_changes(struct super_block *sb)
{
	return atomic64_read(&fc_fs_of(sb)->changes);
}

void fc_inode_changed(struct inode *inode)
{
	struct fc_inode *fi = fc_i(inode);

	spin_lock(&fi->lock);
	fi->changes = atomic64_inc_return(&fc_fs_of(inode->i_sb)->changes);
	fi->valid = false;
	fi->looked_up_by = NULL;
	spin_unlock(&fi->lock);
}

/* A name was made (1) or removed (-1) here. The host may have told its count already, so it is only
 * a guess. */
void fc_inode_linked(struct inode *inode, int links)
{
	struct fc_inode *fi = fc_i(inode);

	fc_inode_changed(inode);
	spin_lock(&fi->lock);
	set_nlink(inode, max_t(int, (int)inode->i_nlink + links, 0));
	spin_unlock(&fi->lock);
}

static void fc_inode_owner(struct inode *inode, const struct fc_stat *st)
{
	const struct fc_fs *fs = fc_fs_of(inode->i_sb);

	inode->i_uid = st->uid == fs->host_uid ? fs->uid : make_kuid(&init_user_ns, st->uid);
	inode->i_gid = st->gid == fs->host_gid ? fs->gid : make_kgid(&init_user_ns, st->gid);
}

void fc_inode_apply(struct inode *inode, const struct fc_statx *st, u64 seen)
{
	struct fc_inode *fi = fc_i(inode);
	const struct fc_stat *s = &st->stat;

	spin_lock(&fi->lock);
	inode->i_mode = (inode->i_mode & S_IFMT) | (s->mode & 07777);
	fc_inode_owner(inode, s);
	if (inode->i_nlink != s->links)
		set_nlink(inode, s->links);
	inode->i_blocks = s->blocks;
	fc_set_times(inode, ns_to_timespec64(s->atime_ns), ns_to_timespec64(s->mtime_ns),
		     ns_to_timespec64(s->ctime_ns));
	fi->attributes = st->attributes;
	fi->attributes_mask = st->attributes_mask;
	fi->block_size = s->block_size;
	/* A size from before our own write would cut off what that wrote. */
	if (fi->changes <= seen) {
		i_size_write(inode, s->size);
		fi->valid = true;
		fi->valid_until = jiffies + fc_fs_of(inode->i_sb)->timeout;
	}
	spin_unlock(&fi->lock);
}

/*
 * The same when there may be pages. What was written to them belongs to a file of the old size:
 * behind that, the new one may have data of others where the pages have zeros.
 */
void fc_inode_update(struct inode *inode, const struct fc_statx *st, u64 seen)
{
	if (S_ISREG(inode->i_mode) && st->stat.size != i_size_read(inode))
		fc_pages_check(inode, st);
	fc_inode_apply(inode, st, seen);
}

/* One stat() of the caller need not ask the host again. */
void fc_inode_looked_up(struct inode *inode)
{
	struct fc_inode *fi = fc_i(inode);

	spin_lock(&fi->lock);
	fi->looked_up_by = current;
	fi->looked_up = jiffies;
	spin_unlock(&fi->lock);
}

/* Are the attributes good enough for a stat()? */
static bool fc_inode_known(struct inode *inode)
{
	struct fc_inode *fi = fc_i(inode);
	unsigned long now = jiffies;
	bool known;

	spin_lock(&fi->lock);
	known = fi->valid && (time_before(now, fi->valid_until) ||
			      (fi->looked_up_by == current && fi->looked_up == now));
	fi->looked_up_by = NULL;
	spin_unlock(&fi->lock);
	return known;
}

/* Asks the host: by a handle if there is one, since the name may be gone. Gone altogether: what was
 * known stays. */
int fc_inode_fetch(struct inode *inode, struct dentry *dentry)
{
	struct fc_fs *fs = fc_fs_of(inode->i_sb);
	struct fc_handle *handle = fc_handle_find(inode, 0, false);
	u64 seen = fc_fs_changes(inode->i_sb);
	struct fc_statx st;
	int ret;

	if (handle) {
		ret = fc_stat_handle(fs, handle->number, &st);
		fc_handle_put(handle);
	} else {
		if (d_unlinked(dentry))
			return 0;
		ret = fc_stat_path(fs, dentry, &st);
	}
	if (ret == -ENOENT || ret == -ENOTDIR || (!ret && !fc_inode_is(inode, &st)))
		return 0;
	if (!ret)
		fc_inode_update(inode, &st, seen);
	return ret;
}

int fc_getattr(fc_idmap *idmap, const struct path *path, struct kstat *stat, u32 mask,
	       unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct fc_inode *fi = fc_i(inode);
	int ret = 0;

	if (!fc_inode_known(inode) && !(flags & AT_STATX_DONT_SYNC))
		ret = fc_inode_fetch(inode, path->dentry);
	if (ret)
		return ret;
	fc_fillattr(idmap, mask, inode, stat);
	stat->blksize = fi->block_size;
	stat->attributes |= fi->attributes;
	stat->attributes_mask |= fi->attributes_mask;
	if (fi->btime_known) {
		stat->btime = ns_to_timespec64(fi->btime);
		stat->result_mask |= STATX_BTIME;
	}
	return 0;
}

static void fc_free_link(void *text)
{
	kfree(text);
}

/* A link may say anything: it is followed in the guest, from its root if it is absolute. */
static const char *fc_get_link(struct dentry *dentry, struct inode *inode,
			       struct delayed_call *done)
{
	struct fc_fscall c = { .fs = fc_fs_of(inode->i_sb) };
	char *text;
	int ret;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	ret = fc_call_prepare(&c, FC_OP_READLINK,
			      &(struct fc_call_names){ .dentry = dentry, .out = FC_MAX_PATH });
	if (!ret) {
		fc_call_output(&c, c.out, FC_MAX_PATH);
		ret = fc_call_run(&c);
	}
	text = ret < 0 ? ERR_PTR(ret) :
			 kmemdup_nul(c.out, min_t(u32, ret, FC_MAX_PATH), GFP_KERNEL);
	fc_call_end(&c);
	if (!text)
		return ERR_PTR(-ENOMEM);
	if (!IS_ERR(text))
		set_delayed_call(done, fc_free_link, text);
	return text;
}

const struct inode_operations fc_file_iops = {
	.getattr = fc_getattr,
	.setattr = fc_setattr,
	.listxattr = fc_listxattr,
};

const struct inode_operations fc_link_iops = {
	.get_link = fc_get_link,
	.getattr = fc_getattr,
	.setattr = fc_setattr,
};
