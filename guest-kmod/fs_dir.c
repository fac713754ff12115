// SPDX-License-Identifier: GPL-2.0-only
/* Names: looking them up, and changing them. */
#include <linux/cred.h>
#include <linux/namei.h>
#include <linux/sched.h>

#include "fs.h"

static bool fc_gone(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -ELOOP || err == -EXDEV;
}

/*
 * Opening a file asks the host itself, and says -EOPENSTALE when the name means another file, or
 * the mode has changed; so it needs no look before, as long as what is known of it does not forbid
 * anything.
 */
static bool fc_open_will_tell(struct inode *inode, unsigned int flags)
{
	unsigned int wanted = LOOKUP_OPEN | LOOKUP_REVAL | LOOKUP_EXCL | LOOKUP_DIRECTORY;

	return (flags & wanted) == LOOKUP_OPEN && S_ISREG(inode->i_mode) && !current->in_execve &&
	       (inode->i_mode & 0600) == 0600 && uid_eq(current_fsuid(), inode->i_uid);
}

static int fc_d_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = d_inode(dentry);
	struct fc_fs *fs = fc_fs_of(dentry->d_sb);
	struct fc_statx st;
	u64 seen;
	int ret;

	if (flags & LOOKUP_RCU)
		return -ECHILD;
	if (!(flags & LOOKUP_REVAL) && time_before(jiffies, dentry->d_time + fs->timeout))
		return 1;
	if (!inode)
		return 0;
	if (fc_open_will_tell(inode, flags))
		return 1;
	seen = fc_fs_changes(inode->i_sb);
	ret = fc_stat_path(fs, dentry, &st);
	if (fc_gone(ret) || (!ret && !fc_inode_is(inode, &st)))
		return 0;
	if (ret)
		return ret;
	fc_inode_update(inode, &st, seen);
	fc_inode_looked_up(inode);
	dentry->d_time = jiffies;
	return 1;
}

/* What is known not to be there is not worth keeping. */
static int fc_d_delete(const struct dentry *dentry)
{
	return d_really_is_negative(dentry) && !fc_fs_of(dentry->d_sb)->timeout;
}

const struct dentry_operations fc_dentry_ops = {
	.d_revalidate = fc_d_revalidate,
	.d_delete = fc_d_delete,
};

struct dentry *fc_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	u64 seen = fc_fs_changes(dir->i_sb);
	struct inode *inode = NULL;
	struct fc_statx st;
	int ret;

	if (dentry->d_name.len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	ret = fc_stat_path(fc_fs_of(dir->i_sb), dentry, &st);
	if (!ret)
		inode = fc_iget(dir->i_sb, &st, seen);
	else if (ret != -ENOENT)
		return ERR_PTR(ret);
	if (!IS_ERR_OR_NULL(inode))
		fc_inode_looked_up(inode);
	dentry->d_time = jiffies;
	return d_splice_alias(inode, dentry);
}

/*
 * Runs what makes a name, and gives the dentry its inode. A mode is what the caller's umask has
 * left; that of the host's user may have taken more.
 */
static int fc_make(struct inode *dir, struct dentry *dentry, struct fc_fscall *c, umode_t mode)
{
	u64 seen = fc_fs_changes(dir->i_sb);
	struct dentry *alias;
	struct inode *inode;
	struct fc_statx st;
	int ret = fc_call_run_stat(c, &st, false);

	fc_call_end(c);
	fc_inode_changed(dir);
	if (ret < 0) {
		/* It may be there: somebody else has to look. */
		d_drop(dentry);
		return ret;
	}
	if (!S_ISLNK(st.stat.mode) && (st.stat.mode & 07777) != (mode & 07777)) {
		/* Set-ID bits are refused. */
		if (!fc_set_mode(fc_fs_of(dir->i_sb), dentry, mode))
			st.stat.mode = (st.stat.mode & S_IFMT) | (mode & 07777);
	}
	inode = fc_iget(dir->i_sb, &st, seen);
	if (IS_ERR(inode)) {
		d_drop(dentry);
		return PTR_ERR(inode);
	}
	dentry->d_time = jiffies;
	if (!S_ISDIR(inode->i_mode)) {
		d_instantiate(dentry, inode);
		return 0;
	}
	/* Somebody on the host may have put a directory here that is known by another name. */
	d_drop(dentry);
	alias = d_splice_alias(inode, dentry);
	if (IS_ERR(alias))
		return PTR_ERR(alias);
	if (alias)
		alias->d_time = jiffies;
	dput(alias);
	return 0;
}

static int fc_mknod(fc_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode,
		    dev_t device)
{
	struct fc_fscall c = { .fs = fc_fs_of(dir->i_sb) };
	int ret;

	if (S_ISCHR(mode) || S_ISBLK(mode))
		return -EPERM;
	ret = fc_call_prepare(&c, FC_OP_MKNOD, &(struct fc_call_names){ .dentry = dentry });
	if (ret) {
		fc_call_end(&c);
		return ret;
	}
	c.cmd.offset = mode & (S_IFMT | 0777);
	return fc_make(dir, dentry, &c, mode);
}

static int fc_create(fc_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode,
		     bool exclusive)
{
	return fc_mknod(idmap, dir, dentry, (mode & ~S_IFMT) | S_IFREG, 0);
}

static int fc_mkdir(fc_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode)
{
	struct fc_fscall c = { .fs = fc_fs_of(dir->i_sb) };
	int ret = fc_call_prepare(&c, FC_OP_MKDIR, &(struct fc_call_names){ .dentry = dentry });

	if (ret) {
		fc_call_end(&c);
		return ret;
	}
	c.cmd.offset = mode & 0777;
	/* A set-group-ID directory hands that on. */
	if (dir->i_mode & S_ISGID)
		mode |= S_ISGID;
	return fc_make(dir, dentry, &c, mode);
}

static int fc_symlink(fc_idmap *idmap, struct inode *dir, struct dentry *dentry, const char *text)
{
	struct fc_fscall c = { .fs = fc_fs_of(dir->i_sb) };
	int ret = fc_call_prepare(&c, FC_OP_SYMLINK,
				  &(struct fc_call_names){ .text = text, .dentry = dentry });

	if (ret) {
		fc_call_end(&c);
		return ret;
	}
	return fc_make(dir, dentry, &c, 0);
}

/* Runs what is prepared, unless that has failed, and ends it. */
static int fc_change(struct inode *dir, struct fc_fscall *c, int ret)
{
	if (!ret)
		ret = fc_call_run(c);
	fc_call_end(c);
	if (!ret)
		fc_inode_changed(dir);
	return ret;
}

static int fc_link(struct dentry *from, struct inode *dir, struct dentry *dentry)
{
	struct fc_fscall c = { .fs = fc_fs_of(dir->i_sb) };
	struct inode *inode = d_inode(from);
	int ret = fc_call_prepare(&c, FC_OP_LINK,
				  &(struct fc_call_names){ .from = from, .dentry = dentry });

	c.cmd.offset = FC_HANDLE_SHARE(c.fs->share);
	ret = fc_change(dir, &c, ret);
	if (ret)
		return ret;
	fc_inode_linked(inode, 1);
	ihold(inode);
	d_instantiate(dentry, inode);
	return 0;
}

static void fc_unlinked(struct inode *inode)
{
	fc_inode_linked(inode, S_ISDIR(inode->i_mode) ? -(int)inode->i_nlink : -1);
}

static int fc_remove(struct inode *dir, struct dentry *dentry, u16 op_flags)
{
	struct fc_fscall c = { .fs = fc_fs_of(dir->i_sb) };
	int ret = fc_call_prepare(&c, FC_OP_UNLINK, &(struct fc_call_names){ .dentry = dentry });

	c.cmd.op_flags = op_flags;
	ret = fc_change(dir, &c, ret);
	if (ret)
		return ret;
	fc_unlinked(d_inode(dentry));
	return 0;
}

static int fc_unlink(struct inode *dir, struct dentry *dentry)
{
	return fc_remove(dir, dentry, 0);
}

static int fc_rmdir(struct inode *dir, struct dentry *dentry)
{
	return fc_remove(dir, dentry, FC_UNLINK_DIRECTORY);
}

/*
 * There is no d_exchange() for modules. Both must keep their place in the tree: a directory whose
 * dentry was only dropped could not be found again during a rename, which keeps d_splice_alias()
 * from moving it (-ESTALE).
 */
static void fc_exchange(struct dentry *from, struct dentry *to)
{
	struct dentry *place = d_alloc(from->d_parent, &from->d_name);

	if (!place) {
		d_drop(from);
		d_drop(to);
		return;
	}
	d_move(from, to);
	d_move(to, place);
	dput(place);
}

static int fc_rename(fc_idmap *idmap, struct inode *old_dir, struct dentry *from,
		     struct inode *new_dir, struct dentry *to, unsigned int flags)
{
	struct fc_fscall c = { .fs = fc_fs_of(old_dir->i_sb) };
	bool exchange = flags & RENAME_EXCHANGE;
	struct fc_call_names names = { .from = from,
				       .dentry = to,
				       .exclusive = d_is_dir(from) || (exchange && d_is_dir(to)) };
	int ret;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	ret = fc_call_prepare(&c, FC_OP_RENAME, &names);
	c.cmd.offset = FC_HANDLE_SHARE(c.fs->share);
	c.cmd.op_flags = (flags & RENAME_NOREPLACE ? FC_RENAME_NOREPLACE : 0) |
			 (exchange ? FC_RENAME_EXCHANGE : 0);
	if (!ret)
		ret = fc_call_run(&c);
	if (!ret) {
		/* With the names still locked: the next path must be made of the new ones. */
		if (exchange)
			fc_exchange(from, to);
		else
			d_move(from, to);
	}
	fc_call_end(&c);
	if (ret)
		return ret;
	fc_inode_changed(old_dir);
	fc_inode_changed(new_dir);
	fc_inode_changed(d_inode(from));
	if (exchange)
		fc_inode_changed(d_inode(to));
	else if (d_really_is_positive(to))
		fc_unlinked(d_inode(to));
	return 0;
}

const struct inode_operations fc_dir_iops = {
	.lookup = fc_lookup,
	.create = fc_create,
	.link = fc_link,
	.unlink = fc_unlink,
	.symlink = fc_symlink,
	.mkdir = fc_mkdir,
	.rmdir = fc_rmdir,
	.mknod = fc_mknod,
	.rename = fc_rename,
	.getattr = fc_getattr,
	.setattr = fc_setattr,
	.listxattr = fc_listxattr,
	.atomic_open = fc_atomic_open,
};
