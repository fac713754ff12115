// SPDX-License-Identifier: GPL-2.0-only
/* The page cache, which is for mappings only: filling it, writing it back, dropping it. */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "fs.h"

#define FC_MAP_FOLIOS (FC_CHUNK / PAGE_SIZE)

/* Memory for as much as there is room for: it is waited for only for the least. */
static void *fc_map_buffer(struct fc_kernel *k, size_t want, size_t least, size_t *bytes)
{
	void *buf = want > least ? fc_kbuf_alloc(k, want) : NULL;

	*bytes = buf ? want : least;
	return buf ? buf : fc_kbuf_wait(k, least, false);
}

static struct fc_handle *fc_map_handle(struct inode *inode, struct file *file, fmode_t mode)
{
	struct fc_handle *handle = file ? file->private_data : NULL;

	if (!handle || (handle->mode & mode) != mode)
		return fc_handle_find(inode, mode, mode & FMODE_WRITE);
	refcount_inc(&handle->refs);
	return handle;
}

/* From buf, of which `got` bytes from `at` on are the file's; what is behind them is 0. */
static void fc_folio_fill(struct folio *folio, const char *buf, ssize_t got)
{
	size_t room = folio_size(folio);
	size_t have = clamp_t(ssize_t, got, 0, room);
	char *to = kmap_local_folio(folio, 0);

	memcpy(to, buf, have);
	memset(to + have, 0, room - have);
	kunmap_local(to);
	flush_dcache_folio(folio);
	folio_mark_uptodate(folio);
}

static int fc_read_folio(struct file *file, struct folio *folio)
{
	struct inode *inode = folio->mapping->host;
	struct fc_fs *fs = fc_fs_of(inode->i_sb);
	struct fc_handle *handle = fc_map_handle(inode, file, FMODE_READ);
	size_t bytes = folio_size(folio);
	void *buf = NULL;
	int ret = -EBADF;

	if (handle) {
		buf = fc_kbuf_wait(fs->kernel, bytes, false);
		ret = buf ? fc_transfer(fs, FC_OP_READ, handle->number, folio_pos(folio), buf,
					bytes) :
			    -ENODEV;
		fc_handle_put(handle);
	}
	if (ret >= 0)
		fc_folio_fill(folio, buf, ret);
	if (buf)
		fc_kbuf_free(fs->kernel, buf, bytes);
	folio_unlock(folio);
	return ret < 0 ? ret : 0;
}

/* Locked folios of one page each, side by side. Those that are not read are read one by one if
 * somebody wants them. */
static void fc_read_folios(struct fc_fs *fs, u32 handle, struct folio **folios, u32 count)
{
	size_t bytes;
	void *buf = fc_map_buffer(fs->kernel, count * PAGE_SIZE, PAGE_SIZE, &bytes);
	int ret = buf ? fc_transfer(fs, FC_OP_READ, handle, folio_pos(folios[0]), buf, bytes) :
			-ENODEV;
	u32 i;

	for (i = 0; i < count; i++) {
		size_t at = i * PAGE_SIZE;

		if (ret >= 0 && at < bytes)
			fc_folio_fill(folios[i], buf + at, ret - (ssize_t)at);
		folio_unlock(folios[i]);
	}
	if (buf)
		fc_kbuf_free(fs->kernel, buf, bytes);
}

static void fc_readahead(struct readahead_control *rac)
{
	struct inode *inode = rac->mapping->host;
	struct fc_handle *handle = fc_map_handle(inode, rac->file, FMODE_READ);
	struct folio *folios[FC_MAP_FOLIOS];
	u32 count;

	if (!handle)
		return;
	do {
		for (count = 0; count < FC_MAP_FOLIOS; count++) {
			folios[count] = readahead_folio(rac);
			if (!folios[count])
				break;
		}
		if (count)
			fc_read_folios(fc_fs_of(inode->i_sb), handle->number, folios, count);
	} while (count == FC_MAP_FOLIOS);
	fc_handle_put(handle);
}

/* Folios that lie side by side, gathered into one write. */
struct fc_writeback {
	struct inode *inode;
	struct fc_fs *fs;
	struct fc_handle *handle;
	void *buf;
	size_t room;
	loff_t pos;
	size_t bytes;
	struct folio *folios[FC_MAP_FOLIOS];
	u32 count;
};

static int fc_writeback_send(struct fc_writeback *wb)
{
	struct address_space *mapping = wb->inode->i_mapping;
	int ret = 0;
	u32 i;

	if (!wb->count)
		return 0;
	ret = fc_transfer(wb->fs, FC_OP_WRITE, wb->handle->plain, wb->pos, wb->buf, wb->bytes);
	if (ret >= 0)
		ret = ret == (int)wb->bytes ? 0 : -EIO;
	if (ret)
		mapping_set_error(mapping, ret);
	fc_inode_changed(wb->inode);
	for (i = 0; i < wb->count; i++)
		folio_end_writeback(wb->folios[i]);
	wb->count = 0;
	wb->bytes = 0;
	fc_kbuf_free(wb->fs->kernel, wb->buf, wb->room);
	wb->buf = NULL;
	return ret;
}

/* Locked folio, as write_cache_pages() wants it. */
static int fc_writeback_add(fc_wb_page *page, struct writeback_control *wbc, void *data)
{
	struct folio *folio = fc_wb_folio(page);
	struct fc_writeback *wb = data;
	loff_t pos = folio_pos(folio), size = i_size_read(wb->inode);
	size_t bytes = min_t(loff_t, folio_size(folio), size - pos);
	const char *from;
	int ret = 0;

	if (pos >= size) {
		folio_unlock(folio);
		return 0;
	}
	if (wb->count && (wb->pos + wb->bytes != pos || wb->bytes + bytes > wb->room))
		ret = fc_writeback_send(wb);
	if (!wb->count) {
		wb->buf = fc_map_buffer(wb->fs->kernel, FC_CHUNK, PAGE_SIZE, &wb->room);
		wb->pos = pos;
	}
	if (!wb->buf) {
		folio_redirty_for_writepage(wbc, folio);
		folio_unlock(folio);
		return -ENODEV;
	}
	folio_start_writeback(folio);
	from = kmap_local_folio(folio, 0);
	memcpy(wb->buf + wb->bytes, from, bytes);
	kunmap_local(from);
	wb->bytes += bytes;
	wb->folios[wb->count++] = folio;
	folio_unlock(folio);
	return ret;
}

static int fc_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	struct fc_writeback wb = { .inode = mapping->host,
				   .fs = fc_fs_of(mapping->host->i_sb),
				   .handle = fc_handle_find(mapping->host, FMODE_WRITE, true) };
	int ret, last;

	if (!wb.handle)
		return -EBADF;
	ret = write_cache_pages(mapping, wbc, fc_writeback_add, &wb);
	last = fc_writeback_send(&wb);
	fc_handle_put(wb.handle);
	return ret ? ret : last;
}

const struct address_space_operations fc_aops = {
	.read_folio = fc_read_folio,
	.readahead = fc_readahead,
	.writepages = fc_writepages,
	.dirty_folio = filemap_dirty_folio,
	.migrate_folio = filemap_migrate_folio,
};

int fc_pages_flush(struct inode *inode, loff_t pos, loff_t bytes)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t end;

	if (!mapping->nrpages || check_add_overflow(pos, bytes - 1, &end))
		return mapping->nrpages ? filemap_write_and_wait(mapping) : 0;
	return filemap_write_and_wait_range(mapping, pos, end);
}

/* The host's file has become another there; who has it mapped reads it anew. */
void fc_pages_drop(struct inode *inode, loff_t pos, loff_t bytes)
{
	if (inode->i_mapping->nrpages)
		invalidate_inode_pages2_range(inode->i_mapping, pos >> PAGE_SHIFT,
					      (pos + bytes - 1) >> PAGE_SHIFT);
}

void fc_pages_check(struct inode *inode, const struct fc_statx *st)
{
	struct fc_inode *fi = fc_i(inode);
	bool same;

	spin_lock(&fi->lock);
	same = fi->pages_mtime == st->stat.mtime_ns && fi->pages_size == st->stat.size;
	fi->pages_mtime = st->stat.mtime_ns;
	fi->pages_size = st->stat.size;
	spin_unlock(&fi->lock);
	if (same || !inode->i_mapping->nrpages)
		return;
	filemap_write_and_wait(inode->i_mapping);
	invalidate_inode_pages2(inode->i_mapping);
}

int fc_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(file);
	struct fc_handle *handle = file->private_data;
	u64 seen = fc_fs_changes(inode->i_sb);
	struct fc_statx st;
	int ret;

	/* Its pages could not be written back where they belong. */
	if (!handle->plain && vma->vm_flags & VM_SHARED && vma->vm_flags & VM_MAYWRITE)
		return -EACCES;
	ret = fc_stat_handle(fc_fs_of(inode->i_sb), handle->number, &st);
	if (ret)
		return ret;
	fc_pages_check(inode, &st);
	fc_inode_apply(inode, &st, seen);
	return generic_file_mmap(file, vma);
}
