/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between kernels 6.1 and 6.12 for a file system. */
#ifndef FARCALL_FS_COMPAT_H
#define FARCALL_FS_COMPAT_H

#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/version.h>
#include <linux/writeback.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
typedef struct mnt_idmap fc_idmap;
typedef struct folio fc_wb_page;
#define fc_wb_folio(page) (page)
#else
typedef struct user_namespace fc_idmap;
typedef struct page fc_wb_page;
#define fc_wb_folio(page) page_folio(page)
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
/* By read_iter: what splice moves comes from the host, not from the page cache. */
#define fc_splice_read copy_splice_read
#else
#define fc_splice_read generic_file_splice_read
#endif

static inline void fc_fillattr(fc_idmap *idmap, u32 mask, struct inode *inode, struct kstat *stat)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	generic_fillattr(idmap, mask, inode, stat);
#else
	generic_fillattr(idmap, inode, stat);
#endif
}

static inline void fc_set_times(struct inode *inode, struct timespec64 atime,
				struct timespec64 mtime, struct timespec64 ctime)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	inode_set_atime_to_ts(inode, atime);
	inode_set_mtime_to_ts(inode, mtime);
	inode_set_ctime_to_ts(inode, ctime);
#else
	inode->i_atime = atime;
	inode->i_mtime = mtime;
	inode->i_ctime = ctime;
#endif
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
typedef const struct xattr_handler *const fc_xattr_table;
#else
typedef const struct xattr_handler *fc_xattr_table;
#endif

#endif
