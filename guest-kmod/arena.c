// SPDX-License-Identifier: GPL-2.0-only
/* Arenas: region 0 of a client, allocated here and mapped by its process. */
#include <linux/io.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "farcall.h"

#define FC_ARENA_MAX_ORDER 9 /* 2 MiB */

void fc_arena_free(struct fc_arena *arena)
{
	unsigned long i;

	fc_segments_free(&arena->segments);
	for (i = 0; i < arena->n_pages; i++)
		put_page(arena->pages[i]);
	kvfree(arena->pages);
	arena->pages = NULL;
	arena->n_pages = 0;
}

/* Adds 1 << order contiguous pages. */
static bool fc_arena_grow(struct fc_arena *arena, unsigned int order)
{
	void *chunk = fc_memory_alloc(PAGE_SIZE << order, order ? __GFP_NORETRY : 0);
	unsigned long i;

	if (!chunk)
		return false;
	for (i = 0; i < 1UL << order; i++)
		arena->pages[arena->n_pages++] = virt_to_page(chunk + i * PAGE_SIZE);
	return true;
}

int fc_arena_alloc(struct fc_arena *arena, unsigned long n_pages)
{
	unsigned int order = FC_ARENA_MAX_ORDER;

	arena->pages =
		kvmalloc_array(n_pages, sizeof(*arena->pages), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!arena->pages)
		return -ENOMEM;
	while (arena->n_pages < n_pages) {
		if (fatal_signal_pending(current))
			return -EINTR;
		while (1UL << order > n_pages - arena->n_pages)
			order--;
		if (fc_arena_grow(arena, order))
			continue;
		if (!order)
			return -ENOMEM;
		order--;
	}
	return fc_segments_build(&arena->segments, arena->pages, n_pages, 0,
				 (u64)n_pages << PAGE_SHIFT);
}

static void fc_client_take(struct fc_client *client, const struct fc_control *answer)
{
	client->number = answer->client;
	WRITE_ONCE(client->serial, answer->arg[0]);
	client->created = true;
}

static void fc_client_orphan(void *data, const struct fc_control *answer)
{
	if (!answer->status)
		fc_client_take(data, answer);
}

static int fc_client_create(struct fc_client *client)
{
	struct fc_control msg = {
		.op = FC_CTL_CLIENT_CREATE,
		.flags = (client->streams ? FC_CLIENT_STREAMS : 0) |
			 (client->near_serial ? FC_CLIENT_NEAR : 0),
		.arg[0] = client->near_serial,
	};
	int ret = fc_client_call(client, &msg, fc_client_orphan, client);

	client->stuck = ret == -EINTR;
	if (!ret)
		fc_client_take(client, &msg);
	return ret;
}

static int fc_arena_register(struct fc_client *client)
{
	struct fc_control msg = {
		.op = FC_CTL_REGION_ADD,
		.client = client->number,
		.flags = FC_REGION_ARENA | FC_REGION_WRITE,
		.arg[0] = virt_to_phys(client->arena.segments.table),
		.arg[1] = client->arena.segments.count,
	};
	int ret = fc_client_call(client, &msg, NULL, NULL);

	/* From here on the host may have the arena: it stays until the client is gone. */
	client->stuck = ret == -EINTR || (!ret && msg.arg[0]);
	if (!ret && msg.arg[0])
		return -EPROTO;
	return ret;
}

static int fc_arena_setup(struct fc_client *client, unsigned long n_pages)
{
	int ret = fc_arena_alloc(&client->arena, n_pages);

	if (!ret && !client->created)
		ret = fc_client_create(client);
	if (!ret)
		ret = fc_arena_register(client);
	if (!ret) {
		fc_segments_free(&client->arena.segments);
		smp_store_release(&client->ready, true);
	} else if (!client->stuck) {
		fc_arena_free(&client->arena);
	}
	return ret;
}

/* client->setup held. */
long fc_arena_create(struct fc_client *client, const struct fc_ioc_arena *arg)
{
	if (client->ready || client->stuck)
		return -EEXIST;
	if (arg->reserved || !arg->bytes || !PAGE_ALIGNED(arg->bytes))
		return -EINVAL;
	if (arg->bytes > client->dev->limits.max_region_bytes || arg->bytes >> PAGE_SHIFT > INT_MAX)
		return -E2BIG;
	return fc_arena_setup(client, arg->bytes >> PAGE_SHIFT);
}

/*
 * The whole arena, shared, once or more. The caller has a share of client->users, so the pages
 * stay.
 */
int fc_arena_mmap(struct fc_client *client, struct vm_area_struct *vma)
{
	unsigned long n = vma_pages(vma);

	if (!smp_load_acquire(&client->ready))
		return -ENXIO;
	if (vma->vm_pgoff || n != client->arena.n_pages || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	fc_vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND);
	return vm_insert_pages(vma, vma->vm_start, client->arena.pages, &n);
}
