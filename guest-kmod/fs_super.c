// SPDX-License-Identifier: GPL-2.0-only
/* Mounting: mount -t farcall -o share=N,uid=U,gid=G,timeout=MS none DIRECTORY */
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>

#include "farcall.h"
#include "fs.h"

#define FC_READAHEAD_BYTES (128u << 10)
#define FC_MAX_TIMEOUT_MS 3600000u

static struct kmem_cache *fc_inodes;

static struct inode *fc_alloc_inode(struct super_block *sb)
{
	struct fc_inode *fi = alloc_inode_sb(sb, fc_inodes, GFP_KERNEL);

	if (!fi)
		return NULL;
	memset((char *)fi + sizeof(fi->vfs), 0, sizeof(*fi) - sizeof(fi->vfs));
	spin_lock_init(&fi->lock);
	INIT_LIST_HEAD(&fi->handles);
	return &fi->vfs;
}

static void fc_free_inode(struct inode *inode)
{
	kmem_cache_free(fc_inodes, fc_i(inode));
}

static int fc_statfs(struct dentry *dentry, struct kstatfs *to)
{
	struct fc_fs *fs = fc_fs_of(dentry->d_sb);
	struct fc_statfs *st = fc_kbuf_wait(fs->kernel, sizeof(*st), false);
	int ret;

	if (!st)
		return -ENODEV;
	ret = fc_transfer(fs, FC_OP_STATFS, FC_HANDLE_SHARE(fs->share), 0, st, sizeof(*st));
	if (!ret) {
		to->f_type = FC_FS_MAGIC;
		to->f_bsize = to->f_frsize = st->block_size;
		to->f_blocks = st->blocks;
		to->f_bfree = st->free;
		to->f_bavail = st->available;
		to->f_files = st->files;
		to->f_ffree = st->files_free;
		to->f_namelen = min_t(u32, st->name_max, NAME_MAX);
		to->f_fsid = u64_to_fsid(huge_encode_dev(dentry->d_sb->s_dev));
	}
	fc_kbuf_free(fs->kernel, st, sizeof(*st));
	return ret;
}

static int fc_show_options(struct seq_file *m, struct dentry *root)
{
	const struct fc_fs *fs = fc_fs_of(root->d_sb);

	seq_printf(m, ",share=%u,uid=%u,gid=%u", fs->share,
		   from_kuid_munged(&init_user_ns, fs->uid),
		   from_kgid_munged(&init_user_ns, fs->gid));
	if (fs->timeout_ms)
		seq_printf(m, ",timeout=%u", fs->timeout_ms);
	return 0;
}

static const struct super_operations fc_super_ops = {
	.alloc_inode = fc_alloc_inode,
	.free_inode = fc_free_inode,
	.statfs = fc_statfs,
	.show_options = fc_show_options,
};

static int fc_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct fc_fs *fs = sb->s_fs_info;
	struct inode *root;
	struct fc_statx st;
	int ret = fc_stat_handle(fs, FC_HANDLE_SHARE(fs->share), &st);

	if (ret)
		return ret == -EBADF ? invalf(fc, "there is no share %u", fs->share) : ret;
	sb->s_magic = FC_FS_MAGIC;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_time_gran = 1;
	sb->s_op = &fc_super_ops;
	sb->s_d_op = &fc_dentry_ops;
	sb->s_xattr = fc_xattr_handlers;
	sb->s_flags |= SB_NOATIME | SB_NODEV;
	sb->s_iflags |= SB_I_NODEV;
	ret = super_setup_bdi(sb);
	if (ret)
		return ret;
	sb->s_bdi->ra_pages = sb->s_bdi->io_pages = FC_READAHEAD_BYTES / PAGE_SIZE;
	root = fc_iget(sb, &st, 0);
	if (IS_ERR(root))
		return PTR_ERR(root);
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

enum { FC_OPT_SHARE, FC_OPT_UID, FC_OPT_GID, FC_OPT_TIMEOUT };

static const struct fs_parameter_spec fc_parameters[] = {
	fsparam_u32("share", FC_OPT_SHARE),
	fsparam_u32("uid", FC_OPT_UID),
	fsparam_u32("gid", FC_OPT_GID),
	fsparam_u32("timeout", FC_OPT_TIMEOUT),
	{},
};

static int fc_parse(struct fs_context *fc, struct fs_parameter *param)
{
	struct fc_fs *fs = fc->s_fs_info;
	struct fs_parse_result value;
	int option = fs_parse(fc, fc_parameters, param, &value);

	if (option < 0)
		return option;
	switch (option) {
	case FC_OPT_SHARE:
		if (value.uint_32 >= FC_MAX_SHARES)
			return invalf(fc, "share: 0 to %u", FC_MAX_SHARES - 1);
		fs->share = value.uint_32;
		return 0;
	case FC_OPT_UID:
		fs->uid = make_kuid(fc->user_ns, value.uint_32);
		return uid_valid(fs->uid) ? 0 : invalf(fc, "uid: no such user");
	case FC_OPT_GID:
		fs->gid = make_kgid(fc->user_ns, value.uint_32);
		return gid_valid(fs->gid) ? 0 : invalf(fc, "gid: no such group");
	default:
		if (value.uint_32 > FC_MAX_TIMEOUT_MS)
			return invalf(fc, "timeout: at most %u ms", FC_MAX_TIMEOUT_MS);
		fs->timeout_ms = value.uint_32;
		fs->timeout = msecs_to_jiffies(value.uint_32);
		return 0;
	}
}

static void fc_fs_free(struct fc_fs *fs)
{
	if (fs && fs->kernel)
		fc_kernel_put(fs->kernel);
	kfree(fs);
}

static int fc_get_tree(struct fs_context *fc)
{
	struct fc_fs *fs = fc->s_fs_info;
	int ret;

	fs->kernel = fc_kernel_find();
	if (!fs->kernel)
		return -ENODEV;
	ret = fc_kernel_start(fs->kernel);
	if (ret)
		return ret;
	fc_kernel_user(fs->kernel, &fs->host_uid, &fs->host_gid);
	return get_tree_nodev(fc, fc_fill_super);
}

static int fc_reconfigure(struct fs_context *fc)
{
	struct fc_fs *fs = fc_fs_of(fc->root->d_sb), *wanted = fc->s_fs_info;

	sync_filesystem(fc->root->d_sb);
	if (wanted->share != fs->share)
		return invalf(fc, "share: can't be changed");
	fs->timeout = wanted->timeout;
	fs->timeout_ms = wanted->timeout_ms;
	return 0;
}

static void fc_context_free(struct fs_context *fc)
{
	fc_fs_free(fc->s_fs_info);
}

static const struct fs_context_operations fc_context_ops = {
	.parse_param = fc_parse,
	.get_tree = fc_get_tree,
	.reconfigure = fc_reconfigure,
	.free = fc_context_free,
};

static int fc_init_fs_context(struct fs_context *fc)
{
	struct fc_fs *fs = kzalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return -ENOMEM;
	init_rwsem(&fs->names);
	fs->uid = GLOBAL_ROOT_UID;
	fs->gid = GLOBAL_ROOT_GID;
	if (fc->purpose == FS_CONTEXT_FOR_RECONFIGURE) {
		const struct fc_fs *now = fc_fs_of(fc->root->d_sb);

		fs->share = now->share;
		fs->timeout = now->timeout;
		fs->timeout_ms = now->timeout_ms;
	}
	fc->s_fs_info = fs;
	fc->ops = &fc_context_ops;
	return 0;
}

static void fc_kill_sb(struct super_block *sb)
{
	struct fc_fs *fs = sb->s_fs_info;

	kill_anon_super(sb);
	fc_fs_free(fs);
}

static struct file_system_type fc_fs_type = {
	.owner = THIS_MODULE,
	.name = "farcall",
	.init_fs_context = fc_init_fs_context,
	.parameters = fc_parameters,
	/* While the names are locked: see fc_rename(). */
	.fs_flags = FS_RENAME_DOES_D_MOVE,
	.kill_sb = fc_kill_sb,
};
MODULE_ALIAS_FS("farcall");

static void fc_inode_init_once(void *object)
{
	struct fc_inode *fi = object;

	inode_init_once(&fi->vfs);
}

int fc_fs_register(void)
{
	int ret;

	fc_inodes = kmem_cache_create("farcall_inode", sizeof(struct fc_inode), 0,
				      SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT, fc_inode_init_once);
	if (!fc_inodes)
		return -ENOMEM;
	ret = register_filesystem(&fc_fs_type);
	if (ret)
		kmem_cache_destroy(fc_inodes);
	return ret;
}

void fc_fs_unregister(void)
{
	unregister_filesystem(&fc_fs_type);
	/* Inodes are freed after a grace period. */
	rcu_barrier();
	kmem_cache_destroy(fc_inodes);
}
