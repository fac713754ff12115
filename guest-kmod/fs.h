/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file system "farcall": a share of the host, mounted in the guest.
 *
 * Names. Every operation on a name sends its whole path below the share, made from the dentries at
 * that time; open files are named by their handles. Nothing that the guest knows of a name or an
 * attribute is believed for longer than the option timeout= says (0: not at all): d_revalidate and
 * getattr ask the host. fs->names keeps a rename of a directory in the guest from changing paths
 * that are under way.
 *
 * Inodes are found by the host's device, inode number, type and birth time, so that a number that
 * the host uses again is another inode.
 *
 * Data. read() and write() go to the host, with no cache in between. Mappings go through the page
 * cache, which is written back and dropped around reads and writes of the same file, and dropped
 * when the host's file was changed, which is noticed when it is opened or mapped.
 *
 * Locks, outer first: inode->i_rwsem, fs->names, what kcall.h has; mmap_lock,
 * mapping->invalidate_lock and folio locks before the latter, but never around fs->names. fi->lock:
 * innermost. See farcall.h.
 */
#ifndef FARCALL_FS_H
#define FARCALL_FS_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#include <farcall/abi.h>

#include "fs_compat.h"
#include "kcall.h"

#define FC_FS_MAGIC FC_ABI_MAGIC
#define FC_CHUNK FC_KBUF_WAIT_MAX /* bytes that one command reads or writes */

struct fc_fs {
	struct fc_kernel *kernel;
	u32 share;
	kuid_t uid; /* whom the files of the host's user are shown to belong to */
	kgid_t gid;
	u32 host_uid;
	u32 host_gid;
	unsigned int timeout_ms;
	unsigned long timeout; /* jiffies */
	atomic64_t changes; /* counts those of all inodes */
	struct rw_semaphore names;
};

/* An open file of the host. */
struct fc_handle {
	refcount_t refs; /* the file's, and each call's that uses it */
	struct list_head link; /* fi->handles */
	struct inode *inode;
	fmode_t mode;
	u32 number; /* as it was opened: for all but writing */
	/* For writing, without and with O_APPEND. 0: not opened so yet; then never changes. Under
	 * the inode's i_rwsem and fi->lock. */
	u32 plain;
	u32 appending;
};

struct fc_inode {
	struct inode vfs;
	u64 device; /* identity on the host */
	u64 number;
	s64 btime;
	u64 attributes; /* STATX_ATTR_* */
	u64 attributes_mask;
	u32 block_size;
	bool btime_known;

	spinlock_t lock;
	struct list_head handles;
	u64 changes; /* the last one made here: what was asked for before says nothing of it */
	unsigned long valid_until; /* jiffies: attributes */
	bool valid;
	/* Who has just looked the name up, and may have one stat() of it for that. Only compared.
	 */
	const struct task_struct *looked_up_by;
	unsigned long looked_up; /* jiffies */
	/* Of the host's file when the page cache was last known to be like it. */
	s64 pages_mtime;
	u64 pages_size;
};

static inline struct fc_inode *fc_i(const struct inode *inode)
{
	return container_of(inode, struct fc_inode, vfs);
}

static inline struct fc_fs *fc_fs_of(const struct super_block *sb)
{
	return sb->s_fs_info;
}

/* fs_call.c: one command about a name. Zero-initialised but for fs; ended by fc_call_end(),
 * whatever happened. */
struct fc_fscall {
	struct fc_fs *fs;
	struct fc_command cmd;
	void *buf; /* struct fc_call_head, output, names */
	size_t bytes;
	void *out;
	const char *path; /* the last name in it, without a leading slash */
	char *names; /* all of them */
	u32 path_length;
	bool locked, exclusive; /* fs->names */
};

/*
 * What is to be named: text (if there is one), then `from` (if there is one), then `dentry`, split
 * by NULs; `last` text comes behind them all. out: bytes of output.
 */
struct fc_call_names {
	const char *text;
	struct dentry *from;
	struct dentry *dentry;
	const char *last;
	size_t out;
	bool exclusive; /* the name of a directory changes */
};

int fc_call_prepare(struct fc_fscall *c, u8 opcode, const struct fc_call_names *names);
/* Tells the host where the output goes: arena memory. */
void fc_call_output(struct fc_fscall *c, const void *at, size_t bytes);
int fc_call_run(struct fc_fscall *c);
/*
 * Runs it, and looks at what it made in the same round trip: the last name, or (opened) the handle
 * that is its result. Returns the command's result, or why the look failed (the handle is closed
 * then).
 */
int fc_call_run_stat(struct fc_fscall *c, struct fc_statx *st, bool opened);
void fc_call_end(struct fc_fscall *c);

int fc_stat_path(struct fc_fs *fs, struct dentry *dentry, struct fc_statx *st);
int fc_stat_handle(struct fc_fs *fs, u32 handle, struct fc_statx *st);
void fc_close(struct fc_fs *fs, u32 handle);

/* fs_inode.c */
extern const struct inode_operations fc_file_iops;
extern const struct inode_operations fc_link_iops;
int fc_getattr(fc_idmap *idmap, const struct path *path, struct kstat *stat, u32 mask,
	       unsigned int flags);
int fc_setattr(fc_idmap *idmap, struct dentry *dentry, struct iattr *attr);
/* The inode of what the host described, with a reference; ERR_PTR(-ENOMEM). */
struct inode *fc_iget(struct super_block *sb, const struct fc_statx *st, u64 seen);
bool fc_inode_is(struct inode *inode, const struct fc_statx *st);
u64 fc_fs_changes(struct super_block *sb);
/* seen: fc_fs_changes() from before the host was asked. */
void fc_inode_apply(struct inode *inode, const struct fc_statx *st, u64 seen);
void fc_inode_update(struct inode *inode, const struct fc_statx *st, u64 seen);
void fc_inode_changed(struct inode *inode);
void fc_inode_linked(struct inode *inode, int links);
void fc_inode_looked_up(struct inode *inode);
int fc_inode_fetch(struct inode *inode, struct dentry *dentry);

/* fs_attr.c */
int fc_set_mode(struct fc_fs *fs, struct dentry *dentry, umode_t mode);

/* fs_dir.c */
extern const struct inode_operations fc_dir_iops;
extern const struct dentry_operations fc_dentry_ops;
struct dentry *fc_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags);

/* fs_readdir.c */
extern const struct file_operations fc_dir_fops;

/* fs_open.c */
int fc_open(struct inode *inode, struct file *file);
int fc_release(struct inode *inode, struct file *file);
int fc_atomic_open(struct inode *dir, struct dentry *dentry, struct file *file, unsigned int flags,
		   umode_t mode);
/* An open handle of the inode with all of `mode`, with a reference, or NULL; positional: one that
 * has a `plain` number. */
struct fc_handle *fc_handle_find(struct inode *inode, fmode_t mode, bool positional);
void fc_handle_put(struct fc_handle *handle);
/* Under the inode's i_rwsem. Makes sure that handle->appending, or handle->plain, is there. */
int fc_handle_for(struct file *file, bool append);

/* fs_file.c */
extern const struct file_operations fc_file_fops;

/* fs_io.c */
ssize_t fc_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t fc_write_iter(struct kiocb *iocb, struct iov_iter *from);
void fc_grow(struct inode *inode, loff_t size);
int fc_transfer(struct fc_fs *fs, u8 opcode, u32 handle, loff_t pos, void *buf, u32 bytes);

/* fs_map.c */
extern const struct address_space_operations fc_aops;
int fc_mmap(struct file *file, struct vm_area_struct *vma);
int fc_pages_flush(struct inode *inode, loff_t pos, loff_t bytes);
void fc_pages_drop(struct inode *inode, loff_t pos, loff_t bytes);
/* The host's file is like this: drops the page cache if it was made from another state. */
void fc_pages_check(struct inode *inode, const struct fc_statx *st);

/* fs_xattr.c */
extern fc_xattr_table fc_xattr_handlers[];
ssize_t fc_listxattr(struct dentry *dentry, char *list, size_t size);

/* fs_super.c */
int fc_fs_register(void);
void fc_fs_unregister(void);

#endif
