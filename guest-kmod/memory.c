// SPDX-License-Identifier: GPL-2.0-only
/* Memory that the host may see: contiguous pages, and tables of guest-physical segments. */
#include <linux/gfp.h>
#include <linux/io.h>

#include "farcall.h"

/*
 * Zeroed, contiguous whole pages, each with a reference of its own so that it can be mapped and
 * outlive the rest. split_page() also gives each its own share of the memory cgroup's charge.
 */
void *fc_memory_alloc(size_t bytes, gfp_t gfp)
{
	unsigned int order = get_order(bytes);
	unsigned long used = PAGE_ALIGN(bytes) >> PAGE_SHIFT;
	struct page *page =
		alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | gfp, order);

	if (!page)
		return NULL;
	split_page(page, order);
	while (used < 1UL << order)
		__free_page(page + used++);
	return page_address(page);
}

void fc_memory_free(void *memory, size_t bytes)
{
	unsigned long i;

	if (!memory)
		return;
	for (i = 0; i < bytes; i += PAGE_SIZE)
		__free_page(virt_to_page(memory + i));
}

/* Writes the segments of the pages to table, or only counts them when it is NULL. */
static u32 fc_segments_walk(struct fc_segment *table, struct page **pages, unsigned long n_pages,
			    u32 offset, u64 bytes)
{
	unsigned long i;
	u32 count = 0;

	for (i = 0; i < n_pages; i++) {
		u64 piece = min_t(u64, bytes, PAGE_SIZE - offset);

		if (i && page_to_pfn(pages[i]) == page_to_pfn(pages[i - 1]) + 1) {
			if (table)
				table[count - 1].bytes += piece;
		} else {
			if (table) {
				table[count].address = page_to_phys(pages[i]) + offset;
				table[count].bytes = piece;
			}
			count++;
		}
		bytes -= piece;
		offset = 0;
	}
	return count;
}

/*
 * Describes `bytes` bytes from `offset` in the first page. -E2BIG: more than FC_MAX_SEGMENTS;
 * -ENOMEM.
 */
int fc_segments_build(struct fc_segments *out, struct page **pages, unsigned long n_pages,
		      u32 offset, u64 bytes)
{
	u32 count = fc_segments_walk(NULL, pages, n_pages, offset, bytes);

	if (count > FC_MAX_SEGMENTS)
		return -E2BIG;
	out->table = fc_memory_alloc(count * sizeof(*out->table), 0);
	if (!out->table)
		return -ENOMEM;
	out->count = count;
	fc_segments_walk(out->table, pages, n_pages, offset, bytes);
	return 0;
}

void fc_segments_free(struct fc_segments *segments)
{
	fc_memory_free(segments->table, segments->count * sizeof(*segments->table));
	segments->table = NULL;
}
