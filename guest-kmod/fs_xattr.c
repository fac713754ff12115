// SPDX-License-Identifier: GPL-2.0-only
/* Extended attributes: those of users, which are what the host has of them. */
#include <linux/slab.h>
#include <linux/xattr.h>

#include "fs.h"

/* The value, in arena memory of its own; taken first, and not waited for. */
struct fc_value {
	void *buf;
	size_t bytes;
};

static int fc_value_alloc(struct fc_fs *fs, struct fc_value *v, size_t bytes)
{
	v->bytes = bytes;
	v->buf = bytes ? fc_kbuf_alloc(fs->kernel, bytes) : NULL;
	return bytes && !v->buf ? -ENOMEM : 0;
}

static void fc_value_free(struct fc_fs *fs, struct fc_value *v)
{
	if (v->buf)
		fc_kbuf_free(fs->kernel, v->buf, v->bytes);
}

/* name: NULL where the op has none. */
static int fc_xattr_call(struct fc_fs *fs, u8 opcode, struct dentry *dentry, const char *name,
			 struct fc_value *v, u16 op_flags)
{
	struct fc_fscall c = { .fs = fs };
	int ret = fc_call_prepare(&c, opcode,
				  &(struct fc_call_names){ .dentry = dentry, .last = name });

	c.cmd.op_flags = op_flags;
	/* Of the share itself there is no name to follow or not. */
	if (!ret && c.path_length)
		c.cmd.op_flags |= FC_STATX_NOFOLLOW;
	if (!ret && v)
		fc_call_output(&c, v->buf, v->bytes);
	if (!ret)
		ret = fc_call_run(&c);
	fc_call_end(&c);
	return ret;
}

/* What a call gave, which fits where there was room for it at all. */
static int fc_value_give(const struct fc_value *v, int ret, void *to, size_t size)
{
	if (ret <= 0 || !size)
		return ret;
	ret = min_t(size_t, ret, v->bytes);
	memcpy(to, v->buf, ret);
	return ret;
}

static char *fc_user_name(const char *name)
{
	return kasprintf(GFP_KERNEL, XATTR_USER_PREFIX "%s", name);
}

static int fc_xattr_get(const struct xattr_handler *handler, struct dentry *dentry,
			struct inode *inode, const char *name, void *buffer, size_t size)
{
	struct fc_fs *fs = fc_fs_of(inode->i_sb);
	char *full = fc_user_name(name);
	struct fc_value v = {};
	int ret = full ? fc_value_alloc(fs, &v, min_t(size_t, size, FC_MAX_XATTR_BYTES)) : -ENOMEM;

	if (!ret)
		ret = fc_xattr_call(fs, FC_OP_GETXATTR, dentry, full, &v, 0);
	ret = fc_value_give(&v, ret, buffer, size);
	fc_value_free(fs, &v);
	kfree(full);
	return ret;
}

static int fc_xattr_set(const struct xattr_handler *handler, fc_idmap *idmap, struct dentry *dentry,
			struct inode *inode, const char *name, const void *value, size_t size,
			int flags)
{
	struct fc_fs *fs = fc_fs_of(inode->i_sb);
	char *full = fc_user_name(name);
	u16 op_flags = (flags & XATTR_CREATE ? FC_XATTR_CREATE : 0) |
		       (flags & XATTR_REPLACE ? FC_XATTR_REPLACE : 0);
	struct fc_value v = {};
	int ret = full ? 0 : -ENOMEM;

	if (!ret && size > FC_MAX_XATTR_BYTES)
		ret = -E2BIG;
	if (!ret)
		ret = fc_value_alloc(fs, &v, size);
	if (!ret && size)
		memcpy(v.buf, value, size);
	if (!ret)
		ret = value ? fc_xattr_call(fs, FC_OP_SETXATTR, dentry, full, &v, op_flags) :
			      fc_xattr_call(fs, FC_OP_REMOVEXATTR, dentry, full, NULL, 0);
	if (!ret)
		fc_inode_changed(inode);
	fc_value_free(fs, &v);
	kfree(full);
	return ret;
}

ssize_t fc_listxattr(struct dentry *dentry, char *list, size_t size)
{
	struct fc_fs *fs = fc_fs_of(dentry->d_sb);
	struct fc_value v = {};
	int ret = fc_value_alloc(fs, &v, min_t(size_t, size, FC_MAX_XATTR_BYTES));

	if (!ret)
		ret = fc_xattr_call(fs, FC_OP_LISTXATTR, dentry, NULL, &v, 0);
	ret = fc_value_give(&v, ret, list, size);
	fc_value_free(fs, &v);
	return ret == -EOPNOTSUPP ? 0 : ret;
}

static const struct xattr_handler fc_user_xattrs = {
	.prefix = XATTR_USER_PREFIX,
	.get = fc_xattr_get,
	.set = fc_xattr_set,
};

fc_xattr_table fc_xattr_handlers[] = { &fc_user_xattrs, NULL };
