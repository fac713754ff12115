// SPDX-License-Identifier: GPL-2.0-only
/* Changing attributes. */
#include "fs.h"

static u32 fc_host_id(bool ours, u32 host, u32 id)
{
	return ours ? host : id;
}

/* Owners that are what they were are not told to the host, which would refuse even that for others'
 * files. */
static void fc_setattr_owner(struct inode *inode, const struct iattr *attr, struct fc_setattr *to)
{
	const struct fc_fs *fs = fc_fs_of(inode->i_sb);

	if (attr->ia_valid & ATTR_UID && !uid_eq(attr->ia_uid, inode->i_uid)) {
		to->valid |= FC_SETATTR_UID;
		to->uid = fc_host_id(uid_eq(attr->ia_uid, fs->uid), fs->host_uid,
				     from_kuid(&init_user_ns, attr->ia_uid));
	}
	if (attr->ia_valid & ATTR_GID && !gid_eq(attr->ia_gid, inode->i_gid)) {
		to->valid |= FC_SETATTR_GID;
		to->gid = fc_host_id(gid_eq(attr->ia_gid, fs->gid), fs->host_gid,
				     from_kgid(&init_user_ns, attr->ia_gid));
	}
}

static void fc_setattr_fill(struct inode *inode, const struct iattr *attr, struct fc_setattr *to)
{
	unsigned int valid = attr->ia_valid;

	*to = (struct fc_setattr){};
	fc_setattr_owner(inode, attr, to);
	if (valid & ATTR_MODE) {
		to->valid |= FC_SETATTR_MODE;
		to->mode = attr->ia_mode & 07777;
	}
	if (valid & ATTR_SIZE) {
		to->valid |= FC_SETATTR_SIZE;
		to->size = attr->ia_size;
	}
	if (valid & ATTR_ATIME)
		to->valid |= valid & ATTR_ATIME_SET ? FC_SETATTR_ATIME : FC_SETATTR_ATIME_NOW;
	if (valid & ATTR_MTIME)
		to->valid |= valid & ATTR_MTIME_SET ? FC_SETATTR_MTIME : FC_SETATTR_MTIME_NOW;
	if (to->valid & FC_SETATTR_ATIME)
		to->atime_ns = timespec64_to_ns(&attr->ia_atime);
	if (to->valid & FC_SETATTR_MTIME)
		to->mtime_ns = timespec64_to_ns(&attr->ia_mtime);
}

/* handle: of the file itself, NULL: by its name. */
static int fc_setattr_send(struct fc_fs *fs, struct dentry *dentry, const struct fc_handle *handle,
			   const struct fc_setattr *to)
{
	struct fc_fscall c = { .fs = fs };
	int ret = fc_call_prepare(&c, FC_OP_SETATTR,
				  &(struct fc_call_names){ .dentry = dentry, .out = sizeof(*to) });

	if (!ret) {
		memcpy(c.out, to, sizeof(*to));
		c.cmd.offset = fc_kbuf_offset(fs->kernel, c.out);
		c.cmd.op_flags = FC_STATX_NOFOLLOW;
		if (handle)
			c.cmd.handle = handle->number;
		if (handle || !c.cmd.length)
			c.cmd.buffer = c.cmd.length = c.cmd.op_flags = 0;
		ret = fc_call_run(&c);
	}
	fc_call_end(&c);
	return ret;
}

int fc_set_mode(struct fc_fs *fs, struct dentry *dentry, umode_t mode)
{
	struct fc_setattr to = { .valid = FC_SETATTR_MODE, .mode = mode & 07777 };

	return fc_setattr_send(fs, dentry, NULL, &to);
}

/*
 * The name may be another file's by now, so a handle is better. A size goes by one that was opened
 * for writing, as the file may not be writable by its mode any more. NULL: by the name.
 */
static struct fc_handle *fc_setattr_handle(struct dentry *dentry, const struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct fc_handle *handle;

	handle = fc_handle_find(inode, attr->ia_valid & ATTR_SIZE ? FMODE_WRITE : 0, false);
	if (handle || !d_unlinked(dentry))
		return handle;
	handle = fc_handle_find(inode, 0, false);
	return handle ? handle : ERR_PTR(-ESTALE);
}

int fc_setattr(fc_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct fc_fs *fs = fc_fs_of(inode->i_sb);
	bool size = attr->ia_valid & ATTR_SIZE;
	struct fc_handle *handle;
	struct fc_setattr to;
	int ret = setattr_prepare(idmap, dentry, attr);

	if (ret)
		return ret;
	fc_setattr_fill(inode, attr, &to);
	if (!to.valid)
		return 0;
	handle = fc_setattr_handle(dentry, attr);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	if (size) {
		filemap_invalidate_lock(inode->i_mapping);
		ret = filemap_write_and_wait(inode->i_mapping);
	}
	if (!ret)
		ret = fc_setattr_send(fs, dentry, handle, &to);
	if (!ret) {
		fc_inode_changed(inode);
		if (size)
			truncate_setsize(inode, attr->ia_size);
		setattr_copy(idmap, inode, attr);
	}
	if (size)
		filemap_invalidate_unlock(inode->i_mapping);
	if (handle)
		fc_handle_put(handle);
	return ret;
}
