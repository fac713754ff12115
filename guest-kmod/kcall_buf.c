// SPDX-License-Identifier: GPL-2.0-only
/* The arena of the kernel's own client: a share of memory, in one piece for both sides, and its
 * allocator. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "kcall.h"
#include "kcall_impl.h"

#define FC_KBUF_UNIT_SHIFT 8
#define FC_KARENA_MIN (1ul << 20)
#define FC_KARENA_MAX (16ul << 20)
#define FC_KARENA_SHARE 64 /* of the guest's memory */

static u32 fc_kbuf_order(size_t bytes)
{
	return fc_buddy_order(DIV_ROUND_UP(max_t(size_t, bytes, 1), 1u << FC_KBUF_UNIT_SHIFT));
}

int fc_kbuf_setup(struct fc_kernel *k)
{
	unsigned long bytes = clamp((totalram_pages() << PAGE_SHIFT) / FC_KARENA_SHARE,
				    FC_KARENA_MIN, FC_KARENA_MAX);
	unsigned long n_pages = rounddown_pow_of_two(bytes) >> PAGE_SHIFT;
	u32 units = n_pages << (PAGE_SHIFT - FC_KBUF_UNIT_SHIFT);
	int ret = fc_arena_alloc(&k->arena, n_pages);
	u8 *state;

	if (ret) {
		fc_arena_free(&k->arena);
		return ret;
	}
	k->base = vmap(k->arena.pages, n_pages, VM_MAP, PAGE_KERNEL);
	state = kvmalloc(fc_buddy_state_bytes(units), GFP_KERNEL);
	if (!k->base || !state) {
		kvfree(state);
		fc_kbuf_teardown(k);
		return -ENOMEM;
	}
	fc_buddy_init(&k->buddy, state, units);
	k->free_units = units;
	return 0;
}

void fc_kbuf_teardown(struct fc_kernel *k)
{
	if (k->base)
		vunmap(k->base);
	k->base = NULL;
	kvfree(k->buddy.room);
	k->buddy.room = NULL;
	fc_arena_free(&k->arena);
}

/* keep: units that must be left. */
static void *fc_kbuf_try(struct fc_kernel *k, u32 order, u32 keep)
{
	u32 unit = FC_BUDDY_NONE;
	unsigned long flags;

	spin_lock_irqsave(&k->buf_lock, flags);
	if (k->free_units >= (1u << order) + keep)
		unit = fc_buddy_alloc(&k->buddy, order);
	if (unit != FC_BUDDY_NONE)
		k->free_units -= 1u << order;
	spin_unlock_irqrestore(&k->buf_lock, flags);
	return unit == FC_BUDDY_NONE ? NULL : k->base + ((size_t)unit << FC_KBUF_UNIT_SHIFT);
}

void *fc_kbuf_alloc(struct fc_kernel *k, size_t bytes)
{
	if (bytes > FC_KARENA_MAX || fc_kernel_start(k))
		return NULL;
	return fc_kbuf_try(k, fc_kbuf_order(bytes), k->buddy.units / 2);
}

void *fc_kbuf_wait(struct fc_kernel *k, size_t bytes, bool faults)
{
	u32 order = fc_kbuf_order(bytes), keep;
	void *buf;

	if (WARN_ON_ONCE(bytes > FC_KBUF_WAIT_MAX) || fc_kernel_start(k))
		return NULL;
	keep = faults ? k->buddy.units / 4 : 0;
	buf = fc_kbuf_try(k, order, keep);
	/* Who has it may wait for a page of a file system of anybody's. */
	if (!buf && faults)
		(void)wait_event_killable(k->buf_wait, (buf = fc_kbuf_try(k, order, keep)) ||
							       READ_ONCE(k->dead));
	else if (!buf)
		wait_event(k->buf_wait, (buf = fc_kbuf_try(k, order, keep)) || READ_ONCE(k->dead));
	return buf;
}

void fc_kbuf_free(struct fc_kernel *k, void *buf, size_t bytes)
{
	unsigned long flags;

	spin_lock_irqsave(&k->buf_lock, flags);
	if (!WARN_ON_ONCE(!fc_buddy_free(&k->buddy, (buf - k->base) >> FC_KBUF_UNIT_SHIFT)))
		k->free_units += 1u << fc_kbuf_order(bytes);
	spin_unlock_irqrestore(&k->buf_lock, flags);
	/* Pairs with wait_event()'s barrier. */
	if (wq_has_sleeper(&k->buf_wait))
		wake_up_all(&k->buf_wait);
}

u64 fc_kbuf_offset(struct fc_kernel *k, const void *buf)
{
	return buf - k->base;
}
